// The account of one upstream attempt. It is finalised exactly once, whatever happens to the call.
import { type Cost, costOf, costWithoutProviderCache, noCost } from './cost.ts'
import { estimateOutput, estimatePrompt } from './estimate.ts'
import { type TokenCounts, zeroTokens } from './event.ts'
import { type Outcome, servedTier, type Tier, type UsageSource } from './outcome.ts'
import type { Prices } from './prices.ts'
import { noTokens, splitTokens, type TokenUsage, tokenCount } from './tokens.ts'

/** What is known when an attempt ends. Everything but the outcome may be missing. */
export interface AttemptEnd {
  outcome: Outcome
  status?: number
  error?: string
  /** The last usage Gemini reported, field by field (src/gemini/usage.ts); absent when it said nothing. */
  usage?: TokenUsage
  /** modelVersion of the answer; the model that was asked when it is absent. */
  modelServed?: string
  /** From `x-gemini-service-tier`; wins over what the usage says. */
  serviceTier?: string
  /** Bytes of the body that was sent, for the estimate of the prompt; 0 when nothing was sent. */
  sentBytes?: number
  /** A better estimate of the prompt in tokens than its bytes give (src/context). */
  promptTokens?: number
  /** Bytes of text, thoughts included, that the client had got when the answer broke off. */
  deliveredTextBytes?: number
  /** The answer passed unread: what a billed operation cost is unknown then, which is not the same as nothing. */
  unmetered?: boolean
  /** Castor's first byte of the answer, ms after the attempt began. */
  firstByteMs?: number
}

/** The account when it is closed: whole numbers, ready to be booked. */
export interface AttemptResult {
  outcome: Outcome
  status: number
  error: string
  modelAsked: string
  modelServed: string
  tier: Tier
  tokens: TokenCounts
  usageSource: UsageSource
  cost: Cost | null
  priceKind: 'table' | 'override' | 'default' | 'none'
  priceVersion: string
  longContext: boolean
  groundingQueries: number
  providerCacheNanoUsd: number
  firstByteMs: number | null
  /** From the start of the attempt to its end, ms. */
  durationMs: number
  endedAtMs: number
}

export interface Attempt {
  /** Closes the account; only the first call counts, later ones return its result. */
  finish(end: AttemptEnd): AttemptResult
  readonly result: AttemptResult | null
}

export interface AttemptOptions {
  model: string
  /** false for what Google does not charge (countTokens, lists, files). */
  billable: boolean
  prices: Prices
  now: () => number
  onFinish?: (result: AttemptResult) => void
}

/**
 * Opens the account of one attempt. Tokens are Gemini's own; where it said nothing although it worked for us, the prompt is
 * its last promptTokenCount or an estimate, and the output an estimate from the delivered text, marked as such
 * (facts/operations.md §2.3). A request that Gemini refused (4xx, 5xx) is not charged and counts nothing.
 */
export function createAttempt(options: AttemptOptions): Attempt {
  const startedAtMs = options.now()
  let result: AttemptResult | null = null

  function finish(end: AttemptEnd): AttemptResult {
    if (result) return result
    const endedAtMs = options.now()
    const { usage, source } = account(end, options.billable)
    const modelServed = end.modelServed || options.model
    const tier = servedTier(end.serviceTier ?? usage.serviceTier ?? usage.trafficType)
    result = {
      outcome: end.outcome,
      status: end.status ?? 0,
      error: end.error ?? '',
      modelAsked: options.model,
      modelServed,
      tier,
      tokens: countsOf(usage),
      usageSource: source,
      ...priced(usage, source, tier, modelServed, options, endedAtMs),
      ...(end.unmetered && options.billable && !uncharged.has(end.outcome) ? { cost: null } : {}),
      groundingQueries: tokenCount(usage.groundingQueries),
      firstByteMs: end.firstByteMs ?? null,
      durationMs: Math.max(0, endedAtMs - startedAtMs),
      endedAtMs,
    }
    options.onFinish?.(result)
    return result
  }

  return {
    finish,
    get result() {
      return result
    },
  }
}

// Google does not charge a request it refused, and cannot charge one it never got.
const uncharged: ReadonlySet<Outcome> = new Set([
  'rate_limited',
  'client_error',
  'upstream_error',
  'connect_failed',
  'refused',
])

function account(end: AttemptEnd, billable: boolean): { usage: TokenUsage; source: UsageSource } {
  const { usage } = end
  if (usage && usage.source !== 'none') {
    return usage.source === 'partial'
      ? { usage: completed(usage, end), source: 'partial' }
      : { usage, source: 'reported' }
  }
  const sent = tokenCount(end.sentBytes)
  const silent = !billable || uncharged.has(end.outcome) || (sent === 0 && end.promptTokens === undefined)
  if (silent) return { usage: noTokens, source: 'none' }
  return { usage: completed(noTokens, end), source: 'estimated' }
}

/** Fills the classes Gemini left at zero although there was something: the rest of what it said stands. */
function completed(usage: TokenUsage, end: AttemptEnd): TokenUsage {
  return {
    ...usage,
    promptTokens:
      tokenCount(usage.promptTokens) || tokenCount(end.promptTokens) || estimatePrompt(tokenCount(end.sentBytes)),
    candidateTokens: tokenCount(usage.candidateTokens) || estimateOutput(tokenCount(end.deliveredTextBytes)),
  }
}

function priced(
  usage: TokenUsage,
  source: UsageSource,
  tier: Tier,
  model: string,
  options: AttemptOptions,
  atMs: number,
): Pick<AttemptResult, 'cost' | 'priceKind' | 'priceVersion' | 'longContext' | 'providerCacheNanoUsd'> {
  const { prices } = options
  const free = {
    cost: noCost,
    priceKind: 'none' as const,
    priceVersion: '',
    longContext: false,
    providerCacheNanoUsd: 0,
  }
  if (!options.billable || source === 'none') return free
  // A preview's modelVersion may be unknown to the tables while the name that was asked for is not.
  const price = prices.lookup(model, atMs) ?? prices.lookup(options.model, atMs)
  const cost = price ? costOf(usage, tier, price) : null
  if (!price || !cost) return { ...free, cost: null, priceVersion: prices.version }
  const plain = tokenCount(usage.cachedTokens) === 0 ? cost : costWithoutProviderCache(usage, tier, price)
  return {
    cost,
    priceKind: price.kind,
    priceVersion: price.version,
    longContext: price.long !== null && tokenCount(usage.promptTokens) > price.long.above,
    providerCacheNanoUsd: plain ? Math.max(0, plain.total - cost.total) : 0,
  }
}

function countsOf(usage: TokenUsage): TokenCounts {
  const prompt = tokenCount(usage.promptTokens)
  const input = splitTokens(prompt, usage.byModality?.prompt)
  const output = splitTokens(tokenCount(usage.candidateTokens), usage.byModality?.candidates)
  return {
    ...zeroTokens,
    prompt,
    cached: Math.min(prompt, tokenCount(usage.cachedTokens)),
    candidates: tokenCount(usage.candidateTokens),
    thoughts: tokenCount(usage.thoughtTokens),
    toolUse: tokenCount(usage.toolUseTokens),
    inputAudio: input.audio,
    inputImage: input.image,
    inputVideo: input.video,
    inputDocument: input.document,
    outputAudio: output.audio,
    outputImage: output.image,
    outputVideo: output.video,
  }
}
