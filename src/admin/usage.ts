// What the books tell the operator's desk: their health, and the dashboard's figures of money.
import type { House } from '../house.ts'
import type { Account } from '../usage/account.ts'
import type { Books } from '../usage/books.ts'
import { suggestSettingsOf } from '../usage/configured.ts'
import type { LedgerState } from '../usage/ledger.ts'
import { type ReportWithRows, readReport } from '../usage/report.ts'
import { suggest } from '../usage/suggest.ts'
import { count, money } from '../usage/words.ts'
import type { BudgetState, Sources } from './dashboard/sources.ts'
import type { PartHealth } from './desk.ts'

/** The part `usage` of `/service/health/`. Bookings that wait are safe in the journal; lost ones are worse than late ones. */
export function usageHealth(state: LedgerState): PartHealth {
  const { pending, dropped, folded, failing, lastCommitMs } = state
  return {
    status: dropped > 0 ? 'down' : failing ? 'degraded' : 'ok',
    pendingEvents: pending,
    droppedEvents: dropped,
    foldedEvents: folded,
    lastCommitAt: lastCommitMs === null ? null : new Date(lastCommitMs).toISOString(),
    ...(failing ? { message: 'the usage file cannot be written; bookings wait in the journal' } : {}),
  }
}

/** A dashboard that many look at reads the ledger this often, ms. */
const freshMs = 15_000
const shownDays = 30

/** The dashboard's figures of money. */
export function usageSources(
  { desk, settings }: Pick<House, 'desk' | 'settings'>,
  books: Books,
): Required<Pick<Sources, 'days' | 'budgets' | 'suggestions'>> {
  let known: { atMs: number; read: Promise<ReportWithRows> } | null = null

  function read(): Promise<ReportWithRows> {
    const atMs = desk.now()
    if (known === null || atMs - known.atMs > freshMs || atMs < known.atMs) {
      const read = readReport({ days: shownDays }, { ...books, now: desk.now })
      known = { atMs, read }
      // A ledger that could not be read is read again by the next who asks.
      read.catch(() => {
        known = null
      })
    }
    return known.read
  }

  return {
    days: async () => (await read()).report.byDay,
    budgets: () => budgetStates(books.gate.budgets.accounts(), desk.now()),
    suggestions: async () =>
      suggest(await read(), { prices: books.prices, settings: suggestSettingsOf(settings.current) }),
  }
}

/** Every limit of every account, the most used first. */
export function budgetStates(accounts: Account[], nowMs: number): BudgetState[] {
  return accounts
    .flatMap((account): BudgetState[] => {
      const { rule, subject, requests, tokens, windows } = account
      const shared = { rule: rule.name, subject, softShare: rule.softShare ?? 0.8 }
      const perMinute = (limit: number | undefined, left: number | undefined, what: string): BudgetState[] => {
        if (limit === undefined || left === undefined) return []
        const used = Math.max(0, limit - left)
        const texts = { usedText: `${count(used)} ${what}`, limitText: `${count(limit)} ${what}` }
        return [{ ...shared, period: 'minute', share: used / limit, ...texts }]
      }
      return [
        ...perMinute(rule.requestsPerMinute, requests?.level(nowMs), 'requests'),
        ...perMinute(rule.tokensPerMinute, tokens?.level(nowMs), 'tokens'),
        ...windows.map((window): BudgetState => {
          const { spent, reserved } = window.used(nowMs)
          const share = window.limitNanoUsd === 0 ? 1 : (spent + reserved) / window.limitNanoUsd
          const texts = { usedText: money((spent + reserved) / 1e9), limitText: money(window.limitNanoUsd / 1e9) }
          return { ...shared, period: window.kind, share, ...texts }
        }),
      ]
    })
    .sort((one, other) => other.share - one.share)
}
