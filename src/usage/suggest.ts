// Suggestions: what would cost less, with the ledger's evidence, dollars per month, and the setting to change.
import type { LedgerRow } from './ledger.ts'
import type { Prices } from './prices.ts'
import type { ReportWithRows } from './report.ts'
import type { Report } from './report-data.ts'
import { rules } from './rules.ts'

export interface Suggestion {
  /** The rule's name; stable, for links and for switching it off. */
  rule: string
  title: string
  /** The figures it rests on. */
  evidence: string
  /** What it is expected to save, USD per month of 30 days; null where the gain is not money. */
  savingUsdPerMonth: number | null
  /** The exact change of gateway.yaml; empty where the change is not in Castor. */
  change: string
  /** What to mind. */
  caution: string
}

/** The settings the rules look at, as far as they are known; a rule keeps quiet about what is set already. */
export interface Settings {
  cacheEnabled: boolean
  cacheTtlMs: number
  cacheMaxEntries: number
  cacheScope: string
  contextAware: boolean
  semanticEnabled: boolean
  semanticMode: string
  cacheSampled: boolean
  contextEnabled: boolean
  fallbackEnabled: boolean
  retryEnabled: boolean
  batchDelayMs: number
  budgetsSet: boolean
  defaultPriceSet: boolean
}

/** What a rule gets to look at. */
export interface Scene {
  report: Report
  /** The period's rows by dimensions, Castor's own calls included. */
  rows: LedgerRow[]
  settings: Settings
  prices: Prices
  nowMs: number
  /** A sum over the period, as it would be in a month of 30 days. */
  perMonth: (nanoUsd: number) => number
}

export interface Rule {
  name: string
  /** null: no evidence, no suggestion. */
  check: (scene: Scene) => Omit<Suggestion, 'rule'> | Omit<Suggestion, 'rule'>[] | null
}

export interface SuggestOptions {
  prices: Prices
  settings: Settings
  /** Rules that ops do not want to hear of. */
  muted?: string[]
  /** Would this fragment of gateway.yaml be accepted? Advice that nobody can follow in this version is not given. */
  accepts?: (change: string) => boolean
}

const dayMs = 86_400_000
// Less than this a month is not worth anybody's reading.
const leastUsdPerMonth = 0.5
const most = 20

/**
 * The suggestions that follow from readReport's answer, dearest first, at most 20. Only what the ledger shows is suggested; what would
 * save less than half a dollar a month is left out.
 */
export function suggest({ report, rows }: ReportWithRows, options: SuggestOptions): Suggestion[] {
  const { fromMs, toMs } = report
  const days = Math.max(1, (toMs - fromMs) / dayMs)
  const scene: Scene = {
    report,
    rows,
    settings: options.settings,
    prices: options.prices,
    nowMs: toMs,
    perMonth: (nanoUsd) => (nanoUsd / 1e9 / days) * 30,
  }
  const found: Suggestion[] = []
  for (const rule of rules) {
    if (options.muted?.includes(rule.name)) continue
    const said = rule.check(scene)
    for (const item of said === null ? [] : [said].flat()) {
      const { savingUsdPerMonth: saving, change } = item
      if (change !== '' && options.accepts?.(change) === false) continue
      if (saving === null || saving >= leastUsdPerMonth) found.push({ rule: rule.name, ...item })
    }
  }
  return found.sort((a, b) => (b.savingUsdPerMonth ?? 0) - (a.savingUsdPerMonth ?? 0)).slice(0, most)
}
