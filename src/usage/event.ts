// What is booked: one event per upstream attempt, and one per call that was answered without any.
import type { Cost } from './cost.ts'
import type { CacheState, Outcome, Purpose, Source, Tier, UsageSource } from './outcome.ts'

/** What a figure is broken down by. Texts are bounded by boundDimensions; `tags` is canonical (`a=1,b=2`). */
export interface Dimensions {
  tenant: string
  tags: string
  interaction: string
  operation: string
  modelAsked: string
  modelServed: string
  tier: Tier
  source: Source
  outcome: Outcome
  /** Google's status word or our CASTOR_ reason when it was not a success, else ''. */
  error: string
  cache: CacheState
  purpose: Purpose
}

export const dimensionNames = [
  'tenant',
  'tags',
  'interaction',
  'operation',
  'modelAsked',
  'modelServed',
  'tier',
  'source',
  'outcome',
  'error',
  'cache',
  'purpose',
] as const satisfies readonly (keyof Dimensions)[]

/** Token classes as booked. Modalities are parts of `prompt` and `candidates`, never added to them. */
export interface TokenCounts {
  prompt: number
  cached: number
  candidates: number
  thoughts: number
  toolUse: number
  inputAudio: number
  inputImage: number
  inputVideo: number
  inputDocument: number
  outputAudio: number
  outputImage: number
  outputVideo: number
}

export const zeroTokens: TokenCounts = {
  prompt: 0,
  cached: 0,
  candidates: 0,
  thoughts: 0,
  toolUse: 0,
  inputAudio: 0,
  inputImage: 0,
  inputVideo: 0,
  inputDocument: 0,
  outputAudio: 0,
  outputImage: 0,
  outputVideo: 0,
}

/** What was saved on this event, nano-USD, by the one thing that saved it. Never part of the cost. */
export interface Savings {
  exact: number
  semantic: number
  coalesced: number
  tier: number
  trim: number
}

export const noSavings: Savings = { exact: 0, semantic: 0, coalesced: 0, tier: 0, trim: 0 }

/**
 * One booking. `attempt` is 0 for a call answered without Gemini, else 1, 2, …; (requestId, attempt) is booked once,
 * however often it is delivered. `final` marks the one event of a call that settles it: calls, error rates and response
 * times count those only. No prompt, no answer and no key is ever part of it.
 */
export interface UsageEvent extends Dimensions {
  requestId: string
  attempt: number
  final: boolean
  /** When it ended, ms since the epoch. */
  atMs: number
  status: number
  tokens: TokenCounts
  usageSource: UsageSource
  /** null: there is no price for it. */
  cost: Cost | null
  priceKind: 'table' | 'override' | 'default' | 'none'
  priceVersion: string
  /** The prompt crossed the model's long-context threshold, so the whole request was repriced. */
  longContext: boolean
  groundingQueries: number
  savings: Savings
  /** What Google's own caching spared, nano-USD. Google's merit; shown apart. */
  providerCacheNanoUsd: number
  /** What Castor spent beyond the call itself (embeddings, checks, attempts before this one), nano-USD. */
  overheadNanoUsd: number
  trimmedTokens: number
  /** Tokens a call would have used that memory answered. */
  savedTokens: number
  /** The same question was seen before, yet went upstream. */
  repeat: boolean
  /** From the request's arrival to the last byte, ms; of a final event only. */
  latencyMs: number | null
  /** To the first byte of the answer, ms. */
  firstByteMs: number | null
}

const longestText = 128
const longestTags = 512

/** Cuts every text to its bound and strips control characters, so that no client fills or garbles the ledger. */
export function boundDimensions(dimensions: Dimensions): Dimensions {
  const bounded = { ...dimensions }
  for (const name of ['tenant', 'interaction', 'operation', 'modelAsked', 'modelServed', 'error'] as const) {
    bounded[name] = clean(dimensions[name], longestText)
  }
  bounded.tags = clean(dimensions.tags, longestTags)
  return bounded
}

/** Tags in their one canonical form: sorted, at most eight, names and values of at most 48 characters without `,` and `=`. */
export function canonicalTags(tags: Readonly<Record<string, string>>): string {
  const pairs: string[] = []
  for (const name of Object.keys(tags).sort().slice(0, 8)) {
    const value = tags[name]
    if (name !== '' && value !== undefined) pairs.push(`${plain(name)}=${plain(value)}`)
  }
  return pairs.join(',')
}

/** The inverse of canonicalTags. */
export function parseTags(tags: string): Record<string, string> {
  const parsed: Record<string, string> = Object.create(null)
  for (const pair of tags.split(',')) {
    const at = pair.indexOf('=')
    if (at > 0) parsed[pair.slice(0, at)] = pair.slice(at + 1)
  }
  return parsed
}

function plain(text: string): string {
  return text.replace(/[,=]/g, '_').slice(0, 48)
}

function clean(text: string, longest: number): string {
  return text.slice(0, longest).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '')
}
