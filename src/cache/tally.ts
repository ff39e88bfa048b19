/** What the cache did, by day, as far as this process has seen it: the figures of GET /cache/metrics/. */
import type { CacheOutcome } from '../exchange/exchange.ts'
import type { Agreement } from './agreement.ts'

/** Counts of one UTC day, or their sum over several. */
export type Day = Record<CacheOutcome, number> & {
  savedUsd: number
  /** Seconds that Gemini took to give the answers which memory gave again; in shadow mode, would have given. */
  savedSeconds: number
  shadowUsd: number
  shadowSeconds: number
  compared: Record<Agreement, number>
  /** Answers that were not kept, by reason. */
  refused: Record<string, number>
}

type Saved = { costUsd: number; latencyMs: number }

const DAY_MS = 86_400_000
/** Kept; the ledger knows of more. */
const MAX_DAYS = 92

export type Tally = ReturnType<typeof createTally>

/** @param now epoch ms */
export function createTally(now: () => number) {
  const days = new Map<number, Day>()
  const sinceMs = now()

  function today(): Day {
    const number = Math.floor(now() / DAY_MS)
    let day = days.get(number)
    if (day === undefined) {
      day = noDay()
      days.set(number, day)
      if (days.size > MAX_DAYS) days.delete(days.keys().next().value as number)
    }
    return day
  }

  function counted(outcome: CacheOutcome, saved: Saved | undefined): void {
    const day = today()
    day[outcome]++
    if (saved === undefined) return
    const seconds = saved.latencyMs / 1000
    if (outcome === 'shadow') {
      day.shadowUsd += saved.costUsd
      day.shadowSeconds += seconds
    } else {
      day.savedSeconds += seconds
      // An old answer that stands in for a failing Gemini has spared nothing: the call was made.
      if (outcome === 'exact') day.savedUsd += saved.costUsd
    }
  }

  function refused(reason: string): void {
    const { refused } = today()
    refused[reason] = (refused[reason] ?? 0) + 1
  }

  function compared(agreement: Agreement): void {
    today().compared[agreement]++
  }

  /** The sum of the last days, today included. */
  function sum(lastDays: number): Day {
    const all = noDay()
    const from = Math.floor(now() / DAY_MS) - lastDays
    for (const [number, day] of days) if (number > from) add(all, day)
    return all
  }

  return { counted, refused, compared, sum, sinceMs }
}

function noDay(): Day {
  return {
    exact: 0,
    stale: 0,
    coalesced: 0,
    miss: 0,
    bypass: 0,
    shadow: 0,
    savedUsd: 0,
    savedSeconds: 0,
    shadowUsd: 0,
    shadowSeconds: 0,
    compared: { agreed: 0, differed: 0, unread: 0 },
    refused: {},
  }
}

function add(into: Day, day: Day): void {
  const { compared, refused, ...figures } = day
  // Every figure but these two is a number, and has the same name in both.
  for (const name of Object.keys(figures) as (keyof typeof figures)[]) into[name] += figures[name]
  for (const name of Object.keys(compared) as Agreement[]) into.compared[name] += compared[name]
  for (const [reason, count] of Object.entries(refused)) into.refused[reason] = (into.refused[reason] ?? 0) + count
}
