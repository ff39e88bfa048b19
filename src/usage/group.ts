// Sums of ledger rows by one of their dimensions.
import { parseTags } from './event.ts'
import { createHistogram, type Histogram, mergeHistogram, percentile } from './histogram.ts'
import type { LedgerRow } from './ledger.ts'
import { addMeasures, type Measures, noMeasures } from './measure.ts'
import { isBilled } from './operation.ts'
import { hitSources } from './outcome.ts'
import { netSavings } from './savings.ts'

/** One line of a breakdown. Money in USD, times in ms. */
export interface Group {
  name: string
  calls: number
  failedCalls: number
  hits: number
  promptTokens: number
  outputTokens: number
  costUsd: number
  savedUsd: number
  errorRate: number | null
  p50Ms: number | null
  p95Ms: number | null
  /** Cost against the period before, as a share of it; null when it had none. */
  change: number | null
}

/** nano-USD to USD. */
export function usd(nanoUsd: number): number {
  return nanoUsd / 1e9
}

/** a / b, or null where b is nothing. */
export function share(a: number, b: number): number | null {
  return b > 0 ? a / b : null
}

export function sumRows(rows: Iterable<LedgerRow>): { measures: Measures; latency: Histogram; firstByte: Histogram } {
  const sum = { measures: noMeasures(), latency: createHistogram(), firstByte: createHistogram() }
  for (const row of rows) {
    addMeasures(sum.measures, row.measures)
    mergeHistogram(sum.latency, row.latency)
    mergeHistogram(sum.firstByte, row.firstByte)
  }
  return sum
}

/** The measures alone, where no times are wanted. */
export function sumMeasures(rows: Iterable<LedgerRow>): Measures {
  const sum = noMeasures()
  for (const row of rows) addMeasures(sum, row.measures)
  return sum
}

/** Is this a client's call to a model, the thing hit rates, prices per interaction and response times are about? */
export function isInteraction(row: LedgerRow): boolean {
  return row.dimensions !== null && row.dimensions.purpose === 'client' && isBilled(row.dimensions.operation)
}

export function isHit(row: LedgerRow): boolean {
  return row.dimensions !== null && hitSources.has(row.dimensions.source)
}

/**
 * Groups by what `namesOf` says (a row may belong to several groups, as to several tags, or to none), dearest first, and
 * at most `limit` of them: the rest is summed as `other`.
 */
export function groupBy(
  rows: LedgerRow[],
  before: LedgerRow[],
  namesOf: (row: LedgerRow) => string[],
  limit: number,
): Group[] {
  const tallies = tallyBy(rows, namesOf)
  const earlier = costsBy(before, namesOf)
  const sorted = [...tallies].sort(([, a], [, b]) => b.cost - a.cost || b.calls - a.calls)
  const shown = sorted.slice(0, limit).map(([name, tally]) => groupOf(name, tally, earlier.get(name) ?? 0))
  const rest = sorted.slice(limit)
  if (rest.length === 0) return shown
  const other = noTally()
  for (const [, tally] of rest) addTally(other, tally)
  return [...shown, groupOf('other', other, 0)]
}

/** Cost by name, nano-USD. */
export function costsBy(rows: LedgerRow[], namesOf: (row: LedgerRow) => string[]): Map<string, number> {
  const costs = new Map<string, number>()
  for (const row of rows) {
    for (const name of namesOf(row)) costs.set(name, (costs.get(name) ?? 0) + row.measures.cost)
  }
  return costs
}

export const byModel = (row: LedgerRow): string[] => named(row.dimensions?.modelServed || row.dimensions?.modelAsked)
export const byTenant = (row: LedgerRow): string[] => named(row.dimensions?.tenant)
export const byInteraction = (row: LedgerRow): string[] => named(row.dimensions?.interaction)
export const byOperation = (row: LedgerRow): string[] => named(row.dimensions?.operation)
export const byTier = (row: LedgerRow): string[] => (row.measures.attempts > 0 ? named(row.dimensions?.tier) : [])
export const bySource = (row: LedgerRow): string[] => named(row.dimensions?.source)
export const byTag = (row: LedgerRow): string[] =>
  Object.entries(parseTags(row.dimensions?.tags ?? '')).map(([name, value]) => `${name}=${value}`)

function named(name: string | undefined): string[] {
  return [name ? name : '(none)']
}

/** What a group shows, and no more: a report sums thousands of rows seven ways. */
interface Tally {
  calls: number
  failedCalls: number
  hits: number
  prompt: number
  output: number
  cost: number
  saved: number
  latency: Histogram
}

function noTally(): Tally {
  const latency = createHistogram()
  return { calls: 0, failedCalls: 0, hits: 0, prompt: 0, output: 0, cost: 0, saved: 0, latency }
}

function tallyBy(rows: LedgerRow[], namesOf: (row: LedgerRow) => string[]): Map<string, Tally> {
  const tallies = new Map<string, Tally>()
  for (const row of rows) {
    const { measures: it, latency } = row
    const tally = {
      calls: it.calls,
      failedCalls: it.failedCalls,
      hits: isHit(row) ? it.calls : 0,
      prompt: it.prompt,
      output: it.candidates + it.thoughts,
      cost: it.cost,
      saved: netSavings(it).net,
      latency,
    }
    for (const name of namesOf(row)) {
      let sum = tallies.get(name)
      if (!sum) {
        sum = noTally()
        tallies.set(name, sum)
      }
      addTally(sum, tally)
    }
  }
  return tallies
}

function addTally(into: Tally, other: Tally): void {
  into.calls += other.calls
  into.failedCalls += other.failedCalls
  into.hits += other.hits
  into.prompt += other.prompt
  into.output += other.output
  into.cost += other.cost
  into.saved += other.saved
  // Only settled calls have times.
  if (other.calls > 0) mergeHistogram(into.latency, other.latency)
}

function groupOf(name: string, tally: Tally, costBefore: number): Group {
  return {
    name,
    calls: tally.calls,
    failedCalls: tally.failedCalls,
    hits: tally.hits,
    promptTokens: tally.prompt,
    outputTokens: tally.output,
    costUsd: usd(tally.cost),
    savedUsd: usd(tally.saved),
    errorRate: share(tally.failedCalls, tally.calls),
    p50Ms: percentile(tally.latency, 0.5),
    p95Ms: percentile(tally.latency, 0.95),
    change: costBefore > 0 ? (tally.cost - costBefore) / costBefore : null,
  }
}
