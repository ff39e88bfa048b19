/** The cache's figures over some days, as GET /cache/metrics/ and `castor cache --stats` give them. */
import { grade } from '../usage/grade.ts'
import type { Ledger } from '../usage/ledger.ts'
import type { Cache } from './open.ts'

const DAY_MS = 86_400_000

export type Figures = Awaited<ReturnType<typeof cacheFigures>>

export type FiguresOptions = {
  cache: Cache
  /** Knows of more days than this process; null when nothing is booked. */
  ledger: Ledger | null
  mode: string
  days: number
  /** Epoch ms. */
  nowMs: number
}

/** Calls by what became of them, over the days asked for. */
type Calls = {
  /** The first moment that is in the figures. */
  sinceMs: number
  /** `ledger`: all replicas and earlier starts; `process`: this one, since it began. */
  from: 'ledger' | 'process'
  exact: number
  semantic: number
  stale: number
  coalesced: number
  miss: number
  bypass: number
  savedUsd: number
}

/** @returns dollars and seconds as numbers, instants in ISO 8601 */
export async function cacheFigures({ cache, ledger, mode, days, nowMs }: FiguresOptions) {
  const { tally, tiers, coalescer } = cache
  const seen = tally.sum(days)
  const fromMs = nowMs - days * DAY_MS
  const { sinceMs, from, miss, bypass, savedUsd, ...hits } = (ledger === null
    ? undefined
    : await booked(ledger, fromMs, nowMs)) ?? {
    sinceMs: Math.max(tally.sinceMs, fromMs),
    from: 'process' as const,
    exact: seen.exact,
    semantic: 0,
    stale: seen.stale,
    coalesced: seen.coalesced,
    miss: seen.miss,
    bypass: seen.bypass,
    savedUsd: seen.savedUsd,
  }
  const { memory, store, queue, damaged } = await tiers.stats()
  const total = hits.exact + hits.semantic + hits.stale + hits.coalesced
  const hitRate = ratio(total, total + miss)
  const { agreed, differed } = seen.compared
  return {
    days,
    mode,
    since: iso(sinceMs),
    from,
    calls: total + miss + bypass,
    hits: { ...hits, total },
    misses: miss,
    bypassed: bypass,
    hitRate,
    grade: grade('hitRate', hitRate),
    // A stale answer stood in for a call that was made.
    saved: { calls: total - hits.stale, usd: savedUsd },
    /** What follows is of this process alone, since it began or since the first of these days. */
    process: {
      since: iso(Math.max(tally.sinceMs, fromMs)),
      savedSeconds: seen.savedSeconds,
      notKept: seen.refused,
      shadow: {
        hits: seen.shadow,
        hitRate: ratio(seen.shadow, seen.shadow + seen.miss),
        savedUsd: seen.shadowUsd,
        savedSeconds: seen.shadowSeconds,
        compared: seen.compared,
        agreement: ratio(agreed, agreed + differed),
      },
      memory,
      store: store ?? null,
      queue,
      damaged,
      coalescing: { inFlight: coalescer.inFlight(), ...coalescer.counts },
    },
  }
}

/** Undefined when the ledger does not answer: then the process says what it has seen. */
async function booked(ledger: Ledger, fromMs: number, toMs: number): Promise<Calls | undefined> {
  try {
    await ledger.flush()
    const range = { fromMs, toMs: toMs + 1, latency: false }
    const [rows, buckets] = await Promise.all([
      ledger.read({ ...range, by: 'dimensions' }),
      ledger.read({ ...range, by: 'day' }),
    ])
    const calls: Calls = {
      sinceMs: Math.max(fromMs, buckets[0]?.bucketMs ?? toMs),
      from: 'ledger',
      exact: 0,
      semantic: 0,
      stale: 0,
      coalesced: 0,
      miss: 0,
      bypass: 0,
      savedUsd: 0,
    }
    for (const { dimensions, measures } of rows) {
      if (dimensions === null) continue
      const { source, cache } = dimensions
      if (source === 'exact' || source === 'semantic' || source === 'stale' || source === 'coalesced') {
        calls[source] += measures.calls
      } else if (cache === 'miss') calls.miss += measures.calls
      else if (cache === 'excluded') calls.bypass += measures.calls
      calls.savedUsd += (measures.savedExact + measures.savedSemantic + measures.savedCoalesced) / 1e9
    }
    return calls
  } catch {
    // A store that is away is told of in health; these figures fall back to those at hand.
    return undefined
  }
}

/** From 0 to 1; null where nothing happened. */
function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
