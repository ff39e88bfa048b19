// The summed figures of a rollup. The SQL columns, the Redis fields and the reports are all made from this one list.
import type { UsageEvent } from './event.ts'
import { errorOutcomes } from './outcome.ts'

/**
 * Counts, tokens and nano-USD; each may be added over any set of events. Rollups refer to a measure by its place in this
 * list (sums.ts): new ones go to the end, and none ever leaves or moves.
 */
export const measureNames = [
  'calls',
  'failedCalls',
  'attempts',
  'estimatedAttempts',
  'partialAttempts',
  'unpricedAttempts',
  'defaultPricedAttempts',
  'prompt',
  'cached',
  'candidates',
  'thoughts',
  'toolUse',
  'inputAudio',
  'inputImage',
  'inputVideo',
  'inputDocument',
  'outputAudio',
  'outputImage',
  'outputVideo',
  'groundingQueries',
  'cost',
  'costInput',
  'costCached',
  'costOutput',
  'costThoughts',
  'costToolUse',
  'costGrounding',
  'estimatedCost',
  'longAttempts',
  'longCost',
  'savedExact',
  'savedSemantic',
  'savedCoalesced',
  'savedTier',
  'savedTrim',
  'savedTokens',
  'providerCache',
  'overhead',
  'trimmedTokens',
  'repeats',
  'repeatCost',
] as const

export type MeasureName = (typeof measureNames)[number]
export type Measures = Record<MeasureName, number>

export function noMeasures(): Measures {
  const measures = {} as Measures // filled on the next line, for every name
  for (const name of measureNames) measures[name] = 0
  return measures
}

export function addMeasures(into: Measures, other: Measures): void {
  for (const name of measureNames) into[name] += other[name]
}

/** What one event adds to its rollups. */
export function measuresOf(event: UsageEvent): Measures {
  const { tokens, savings } = event
  const cost = event.cost
  const total = cost?.total ?? 0
  const attempts = event.attempt > 0 ? 1 : 0
  const guessed = event.usageSource === 'estimated' || event.usageSource === 'partial' || event.priceKind === 'default'
  return {
    calls: event.final ? 1 : 0,
    failedCalls: event.final && errorOutcomes.has(event.outcome) ? 1 : 0,
    attempts,
    estimatedAttempts: event.usageSource === 'estimated' ? attempts : 0,
    partialAttempts: event.usageSource === 'partial' ? attempts : 0,
    unpricedAttempts: cost === null ? attempts : 0,
    defaultPricedAttempts: event.priceKind === 'default' ? attempts : 0,
    ...tokens,
    groundingQueries: event.groundingQueries,
    cost: total,
    costInput: cost?.input ?? 0,
    costCached: cost?.cached ?? 0,
    costOutput: cost?.output ?? 0,
    costThoughts: cost?.thoughts ?? 0,
    costToolUse: cost?.toolUse ?? 0,
    costGrounding: cost?.grounding ?? 0,
    estimatedCost: guessed ? total : 0,
    longAttempts: event.longContext ? attempts : 0,
    longCost: event.longContext ? total : 0,
    savedExact: savings.exact,
    savedSemantic: savings.semantic,
    savedCoalesced: savings.coalesced,
    savedTier: savings.tier,
    savedTrim: savings.trim,
    savedTokens: event.savedTokens,
    providerCache: event.providerCacheNanoUsd,
    overhead: event.overheadNanoUsd,
    trimmedTokens: event.trimmedTokens,
    repeats: event.repeat ? 1 : 0,
    repeatCost: event.repeat ? total : 0,
  }
}
