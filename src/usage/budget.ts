// Limits and budgets: reserve before the call, settle after it. All calls go through this one gate.
import type { Calendar } from '../schedule/calendar.ts'
import {
  type Account,
  type Breach,
  type BudgetRule,
  type LimitKind,
  limitOf,
  openAccount,
  shareOf,
  subjectOf,
} from './account.ts'
import type { MoneyWindow, WindowKind } from './window.ts'

export interface Ask {
  tenant: string
  tags: Readonly<Record<string, string>>
  /** Input tokens and cost as far as they can be known before. */
  estimatedTokens: number
  estimatedNanoUsd: number
}

export type Verdict =
  | { allowed: true; reservation: Reservation; warnings: Breach[]; degradeTo: string | null }
  | { allowed: false; breach: Breach; retryAfterMs: number }

export interface Reservation {
  /** Books what the call really took, once, in place of the reservation. After the lease it still counts as spent. */
  settle(actual: { tokens: number; nanoUsd: number }): void
  /** Gives everything back: the call was answered without Gemini, or never sent. */
  release(): void
}

export interface BudgetOptions {
  rules: BudgetRule[]
  calendar: Calendar
  now: () => number
  /** A reservation nobody settles is given back after this long, so that a lost call blocks no key for good. */
  leaseMs?: number
  /** Accounts kept apart (tenants times rules); the least recently used goes first. */
  maxAccounts?: number
  /** Told when an account passes its soft share or its limit, once per window. */
  onCrossed?: (breach: Breach, account: string, kind: 'soft' | 'hard') => void
}

export interface Budgets {
  reserve(ask: Ask): Verdict
  /** Adds what the ledger knows to have been spent in the running window (after a restart). */
  restore(rule: string, subject: string, kind: WindowKind, nanoUsd: number): void
  /** All accounts, for the status page. */
  accounts(): Account[]
}

const defaultLeaseMs = 3_600_000

/**
 * Makes the gate. A call passes while an account has anything left, so calls at the same time overshoot a money budget by
 * one reservation at most, and an over-careful estimate never blocks a key that has hardly spent anything.
 */
export function createBudgets(options: BudgetOptions): Budgets {
  const { rules, calendar, now, leaseMs = defaultLeaseMs, maxAccounts = 10_000 } = options
  const accounts = new Map<string, Account>()
  const leases = new Set<{ untilMs: number; release: () => void }>()

  function accountOf(rule: BudgetRule, subject: string): Account {
    const key = `${rule.name}\u001f${subject}`
    const known = accounts.get(key)
    if (known) {
      accounts.delete(key)
      accounts.set(key, known)
      return known
    }
    const made = openAccount(rule, subject, calendar, now())
    if (accounts.size >= maxAccounts) accounts.delete(accounts.keys().next().value ?? '')
    accounts.set(key, made)
    return made
  }

  function reserve(ask: Ask): Verdict {
    const nowMs = now()
    expire(nowMs)
    const held: Account[] = []
    for (const rule of rules) {
      const subject = subjectOf(rule, ask)
      if (subject !== null) held.push(accountOf(rule, subject))
    }
    let degradeTo: string | null = null
    const warnings: Breach[] = []
    for (const account of held) {
      const refusal = check(account, ask, nowMs)
      if (refusal?.money && account.rule.atLimit === 'degrade' && account.rule.degradeTo) {
        degradeTo = account.rule.degradeTo
        warnings.push(refusal.breach)
      } else if (refusal) {
        return { allowed: false, breach: refusal.breach, retryAfterMs: refusal.retryAfterMs }
      }
    }
    for (const account of held) warnings.push(...soft(account, nowMs))
    return { allowed: true, reservation: take(held, ask, nowMs), warnings, degradeTo }
  }

  function check(account: Account, ask: Ask, nowMs: number): Refusal | null {
    const rule = account.rule.name
    const requestWait = account.requests?.wait(1, nowMs) ?? 0
    if (requestWait > 0) return rate(rule, 'requestsPerMinute', requestWait)
    const tokenWait = account.tokens?.wait(ask.estimatedTokens, nowMs) ?? 0
    if (tokenWait > 0) return rate(rule, 'tokensPerMinute', tokenWait)
    for (const window of account.windows) {
      const { spent, reserved, endMs } = window.used(nowMs)
      if (spent + reserved < window.limitNanoUsd) continue
      const breach = { rule, limit: limitOf(window), share: shareOf(window, nowMs) }
      cross(account, window, breach, 'hard', nowMs)
      return { breach, retryAfterMs: Math.max(1, endMs - nowMs), money: true }
    }
    return null
  }

  function soft(account: Account, nowMs: number): Breach[] {
    const threshold = account.rule.softShare ?? 0.8
    const found: Breach[] = []
    for (const window of account.windows) {
      const share = shareOf(window, nowMs)
      if (share < threshold || share >= 1) continue
      const breach = { rule: account.rule.name, limit: limitOf(window), share }
      found.push(breach)
      cross(account, window, breach, 'soft', nowMs)
    }
    return found
  }

  function cross(account: Account, window: MoneyWindow, breach: Breach, kind: 'soft' | 'hard', nowMs: number): void {
    const { startMs } = window.used(nowMs)
    const once = `${kind} ${window.kind} ${startMs}`
    if (account.warned.has(once)) return
    // Marks of windows that are over would pile up; a handful covers all running ones.
    if (account.warned.size > 8) account.warned.clear()
    account.warned.add(once)
    options.onCrossed?.(breach, account.subject, kind)
  }

  function take(held: Account[], ask: Ask, reservedAtMs: number): Reservation {
    for (const account of held) {
      account.requests?.take(1, reservedAtMs)
      account.tokens?.take(ask.estimatedTokens, reservedAtMs)
      for (const window of account.windows) window.reserve(ask.estimatedNanoUsd, reservedAtMs)
    }
    let reserved = true
    let settled = false
    const lease = {
      untilMs: reservedAtMs + leaseMs,
      release(): void {
        if (!reserved) return
        reserved = false
        leases.delete(lease)
        for (const account of held) {
          for (const window of account.windows) window.release(ask.estimatedNanoUsd, reservedAtMs, now())
        }
      },
    }
    leases.add(lease)
    return {
      settle(actual) {
        if (settled) return
        settled = true
        lease.release()
        for (const account of held) {
          account.tokens?.take(actual.tokens - ask.estimatedTokens, now())
          for (const window of account.windows) window.spend(actual.nanoUsd, now())
        }
      },
      release() {
        if (settled) return
        settled = true
        lease.release()
        for (const account of held) account.tokens?.take(-ask.estimatedTokens, now())
      },
    }
  }

  /** Leases are in order of their end, since all are equally long. */
  function expire(nowMs: number): void {
    for (const lease of leases) {
      if (lease.untilMs > nowMs) return
      lease.release()
    }
  }

  return {
    reserve,
    restore(name, subject, kind, nanoUsd) {
      const rule = rules.find((each) => each.name === name)
      const account = rule && accountOf(rule, subject)
      account?.windows.find((window) => window.kind === kind)?.spend(nanoUsd, now())
    },
    accounts: () => [...accounts.values()],
  }
}

interface Refusal {
  breach: Breach
  retryAfterMs: number
  money: boolean
}

function rate(rule: string, limit: LimitKind, retryAfterMs: number): Refusal {
  return { breach: { rule, limit, share: 1 }, retryAfterMs, money: false }
}
