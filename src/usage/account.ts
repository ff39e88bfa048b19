// One budget account: a rule, whom it is for, and what they have used.
import type { Calendar } from '../schedule/calendar.ts'
import { type Bucket, createBucket } from './bucket.ts'
import { createMoneyWindow, type MoneyWindow } from './window.ts'

/**
 * One rule of gateway.yaml. Without `tenant` and `tag` it holds for everybody together; `tenant: '*'` gives each tenant
 * a budget of its own; `tag` is `name=value`, or `name=*` for one budget per value.
 */
export interface BudgetRule {
  name: string
  tenant?: string
  tag?: string
  requestsPerMinute?: number
  tokensPerMinute?: number
  nanoUsdPerDay?: number
  nanoUsdPerMonth?: number
  /** Share of a budget from which on answers carry a warning, 0 … 1. */
  softShare?: number
  /** What happens at the limit of a money budget; rate limits always refuse. */
  atLimit?: 'refuse' | 'degrade'
  /** The cheaper model to go on with, for `degrade`. */
  degradeTo?: string
}

export type LimitKind = 'requestsPerMinute' | 'tokensPerMinute' | 'perDay' | 'perMonth'

export interface Breach {
  rule: string
  limit: LimitKind
  /** Used share of the limit, reservations included; 1 is full. */
  share: number
}

export interface Account {
  rule: BudgetRule
  /** Whose account it is: a tenant, a `name=value` tag, or '' for all. */
  subject: string
  requests: Bucket | null
  tokens: Bucket | null
  windows: MoneyWindow[]
  warned: Set<string>
}

export function limitOf(window: MoneyWindow): LimitKind {
  return window.kind === 'day' ? 'perDay' : 'perMonth'
}

export function shareOf(window: MoneyWindow, nowMs: number): number {
  const { spent, reserved } = window.used(nowMs)
  return window.limitNanoUsd === 0 ? 1 : (spent + reserved) / window.limitNanoUsd
}

export function openAccount(rule: BudgetRule, subject: string, calendar: Calendar, nowMs: number): Account {
  const windows: MoneyWindow[] = []
  if (rule.nanoUsdPerDay !== undefined) windows.push(createMoneyWindow('day', rule.nanoUsdPerDay, calendar))
  if (rule.nanoUsdPerMonth !== undefined) windows.push(createMoneyWindow('month', rule.nanoUsdPerMonth, calendar))
  return {
    rule,
    subject,
    requests: rule.requestsPerMinute === undefined ? null : createBucket(rule.requestsPerMinute, nowMs),
    tokens: rule.tokensPerMinute === undefined ? null : createBucket(rule.tokensPerMinute, nowMs),
    windows,
    warned: new Set(),
  }
}

/** Whose account this call falls on under the rule; null when the rule does not concern it. */
export function subjectOf(
  rule: BudgetRule,
  of: { tenant: string; tags: Readonly<Record<string, string>> },
): string | null {
  if (rule.tenant !== undefined && rule.tenant !== '*' && rule.tenant !== of.tenant) return null
  const subject = rule.tenant === undefined ? '' : of.tenant
  if (rule.tag === undefined) return subject
  const at = rule.tag.indexOf('=')
  const name = rule.tag.slice(0, at)
  const value = Object.hasOwn(of.tags, name) ? of.tags[name] : undefined
  if (value === undefined || (rule.tag.slice(at + 1) !== '*' && rule.tag.slice(at + 1) !== value)) return null
  return `${subject}${subject === '' ? '' : ' '}${name}=${value}`
}
