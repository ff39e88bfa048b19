// The figures of a report, each from the sums of the ledger.
import type { Calendar } from '../schedule/calendar.ts'
import { byInteraction, byModel, byTenant, costsBy, isHit, share, sumMeasures, usd } from './group.ts'
import { type Histogram, percentile } from './histogram.ts'
import type { LedgerRow, LedgerState } from './ledger.ts'
import type { Measures } from './measure.ts'
import { type CacheState, type Outcome, type Source, wasteOutcomes } from './outcome.ts'
import type { ErrorPattern, Percentiles, Report, SeriesPoint } from './report-data.ts'
import { type NetSavings, netSavings } from './savings.ts'

const shownErrors = 20
const shownGrowth = 10

/** Relative change, null without anything to compare with. */
export function changeOf(now: number, before: number): number | null {
  return before > 0 ? (now - before) / before : null
}

export function percentiles(histogram: Histogram): Percentiles {
  return {
    p50Ms: percentile(histogram, 0.5),
    p95Ms: percentile(histogram, 0.95),
    p99Ms: percentile(histogram, 0.99),
  }
}

export function callFigures(rows: LedgerRow[], all: Measures, asked: Measures): Report['calls'] {
  const succeeded = callsOf(rows, 'completed') + callsOf(rows, 'truncated') + callsOf(rows, 'blocked')
  return {
    total: all.calls,
    interactions: asked.calls,
    succeeded,
    failed: all.failedCalls,
    refused: callsOf(rows, 'refused'),
    clientErrors: callsOf(rows, 'client_error'),
    clientAborts: callsOf(rows, 'client_abort'),
    attempts: all.attempts,
    successRate: share(succeeded, all.calls),
    errorRate: share(all.failedCalls, all.calls),
  }
}

export function cacheFigures(interactions: LedgerRow[], asked: Measures): Report['cache'] {
  const hits = sumMeasures(interactions.filter(isHit)).calls
  const misses = cachedAs(interactions, 'miss')
  const expired = cachedAs(interactions, 'expired')
  const lookups = hits + misses + expired
  return {
    hits,
    lookups,
    hitRate: share(hits, lookups),
    answeredShare: share(hits, asked.calls),
    bySource: {
      exact: answeredBy(interactions, 'exact'),
      semantic: answeredBy(interactions, 'semantic'),
      stale: answeredBy(interactions, 'stale'),
      coalesced: answeredBy(interactions, 'coalesced'),
      duplicate: answeredBy(interactions, 'duplicate'),
    },
    misses,
    expired,
    bypassed: {
      sampling: cachedAs(interactions, 'sampling'),
      excluded: cachedAs(interactions, 'excluded'),
      directive: cachedAs(interactions, 'directive'),
      off: cachedAs(interactions, 'off'),
    },
  }
}

export function tokenFigures(all: Measures): Report['tokens'] {
  return {
    prompt: all.prompt,
    cached: all.cached,
    candidates: all.candidates,
    thoughts: all.thoughts,
    toolUse: all.toolUse,
    total: all.prompt + all.candidates + all.thoughts + all.toolUse,
    saved: all.savedTokens,
    trimmed: all.trimmedTokens,
    audio: all.inputAudio + all.outputAudio,
    image: all.inputImage + all.outputImage,
    video: all.inputVideo + all.outputVideo,
    document: all.inputDocument,
  }
}

export function costFigures(all: Measures): Report['cost'] {
  return {
    input: usd(all.costInput),
    cached: usd(all.costCached),
    output: usd(all.costOutput),
    thoughts: usd(all.costThoughts),
    toolUse: usd(all.costToolUse),
    grounding: usd(all.costGrounding),
    total: usd(all.cost),
  }
}

export function savingsFigures(all: Measures): NetSavings {
  const net = netSavings(all)
  return {
    exact: usd(net.exact),
    semantic: usd(net.semantic),
    coalesced: usd(net.coalesced),
    tier: usd(net.tier),
    trim: usd(net.trim),
    gross: usd(net.gross),
    overhead: usd(net.overhead),
    net: usd(net.net),
    providerCache: usd(net.providerCache),
  }
}

/** What went wrong, commonest first: outcome, Google's word for it, and the model. */
export function errorPatterns(rows: LedgerRow[]): ErrorPattern[] {
  const patterns = new Map<string, ErrorPattern>()
  for (const { dimensions, measures } of rows) {
    if (!dimensions || dimensions.error === '') continue
    const model = dimensions.modelServed || dimensions.modelAsked
    const key = `${dimensions.outcome} ${dimensions.error} ${model}`
    const pattern = patterns.get(key) ?? { outcome: dimensions.outcome, error: dimensions.error, model, count: 0 }
    // An attempt that settled its call is one event in both counts.
    pattern.count += Math.max(measures.attempts, measures.calls)
    patterns.set(key, pattern)
  }
  return [...patterns.values()].sort((a, b) => b.count - a.count).slice(0, shownErrors)
}

export function reliabilityFigures(rows: LedgerRow[]): Report['reliability'] {
  return {
    fallbacks: answeredBy(rows, 'fallback'),
    stale: answeredBy(rows, 'stale'),
    templates: answeredBy(rows, 'template') + answeredBy(rows, 'extraction'),
    rateLimited: attemptsOf(rows, 'rate_limited'),
    upstreamErrors:
      attemptsOf(rows, 'upstream_error') + attemptsOf(rows, 'upstream_broken') + attemptsOf(rows, 'connect_failed'),
  }
}

export function wasteFigures(rows: LedgerRow[], all: Measures): Report['waste'] {
  const byOutcome: { outcome: string; usd: number }[] = []
  let nanoUsd = 0
  for (const outcome of wasteOutcomes) {
    const cost = sumMeasures(rows.filter((row) => row.dimensions?.outcome === outcome)).cost
    if (cost > 0) byOutcome.push({ outcome, usd: usd(cost) })
    nanoUsd += cost
  }
  const retries = sumMeasures(rows.filter((row) => row.dimensions?.purpose === 'client')).overhead
  return { usd: usd(nanoUsd), share: share(nanoUsd, all.cost), byOutcome, retriesUsd: usd(retries) }
}

/** What grew most in dollars against the period before: at least by a fifth, and by a cent. */
export function growthOf(rows: LedgerRow[], before: LedgerRow[]): Report['growth'] {
  const found: (Report['growth'][number] & { grownUsd: number })[] = []
  for (const [kind, namesOf] of [
    ['model', byModel],
    ['tenant', byTenant],
    ['interaction', byInteraction],
  ] as const) {
    const earlier = costsBy(before, namesOf)
    for (const [name, cost] of costsBy(rows, namesOf)) {
      const costBefore = earlier.get(name) ?? 0
      const change = changeOf(cost, costBefore)
      const grownUsd = usd(cost - costBefore)
      if (change !== null && change >= 0.2 && grownUsd >= 0.01) {
        found.push({ kind, name, costUsd: usd(cost), change, grownUsd })
      }
    }
  }
  found.sort((a, b) => b.grownUsd - a.grownUsd)
  return found.slice(0, shownGrowth).map(({ grownUsd: _, ...item }) => item)
}

export function qualityFigures(all: Measures, state: LedgerState): Report['quality'] {
  return {
    estimatedShare: share(all.estimatedCost, all.cost),
    estimatedAttempts: all.estimatedAttempts,
    partialAttempts: all.partialAttempts,
    unpricedAttempts: all.unpricedAttempts,
    defaultPricedAttempts: all.defaultPricedAttempts,
    pendingEvents: state.pending,
    droppedEvents: state.dropped,
    foldedEvents: state.folded,
  }
}

export function point(label: string, rows: LedgerRow[]): SeriesPoint {
  const measures = sumMeasures(rows)
  return {
    label,
    calls: measures.calls,
    failedCalls: measures.failedCalls,
    costUsd: usd(measures.cost),
    netSavedUsd: usd(netSavings(measures).net),
  }
}

/** The period by hour of the local day, as far back as hours are kept. */
export function hoursOfDay(rows: LedgerRow[], calendar: Calendar): SeriesPoint[] {
  const hours: LedgerRow[][] = Array.from({ length: 24 }, () => [])
  for (const row of rows) hours[calendar.hourOfDay(row.bucketMs ?? 0)]?.push(row)
  return hours.map((members, hour) => point(String(hour).padStart(2, '0'), members))
}

function sumWhere(rows: LedgerRow[], keep: (row: LedgerRow) => boolean): Measures {
  return sumMeasures(rows.filter(keep))
}

function callsOf(rows: LedgerRow[], outcome: Outcome): number {
  return sumWhere(rows, (row) => row.dimensions?.outcome === outcome).calls
}

function attemptsOf(rows: LedgerRow[], outcome: Outcome): number {
  return sumWhere(rows, (row) => row.dimensions?.outcome === outcome).attempts
}

function answeredBy(rows: LedgerRow[], source: Source): number {
  return sumWhere(rows, (row) => row.dimensions?.source === source && row.dimensions.outcome !== 'refused').calls
}

function cachedAs(rows: LedgerRow[], cache: CacheState): number {
  return sumWhere(rows, (row) => row.dimensions?.cache === cache && !isHit(row)).calls
}
