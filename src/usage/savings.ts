// What Castor saved on one call, in nano-USD, each dollar under one name only (facts/operations.md §2.5).
import { costOf } from './cost.ts'
import { noSavings, type Savings } from './event.ts'
import type { Measures } from './measure.ts'
import type { Source, Tier } from './outcome.ts'
import type { Price } from './rates.ts'
import { type TokenUsage, tokenCount } from './tokens.ts'

/**
 * What an answer from memory saved: what the stored usage would cost today, on the standard tier of the model that was
 * asked. Stored cached tokens keep Google's discount, which is not ours to claim. Stale answers, templates and
 * extractions stand in for an outage: they are availability and save nothing. Nor does a hit without a price.
 */
export function savedByHit(source: Source, usage: TokenUsage, price: Price | null): Savings {
  const cost = price ? costOf(usage, 'standard', price) : null
  if (!cost) return noSavings
  if (source === 'exact') return { ...noSavings, exact: cost.total }
  if (source === 'semantic') return { ...noSavings, semantic: cost.total }
  if (source === 'coalesced' || source === 'duplicate') return { ...noSavings, coalesced: cost.total }
  return noSavings
}

export interface Change {
  /** Prompt tokens that were cut out before sending; an estimate, since only Gemini counts exactly. */
  trimmedTokens?: number
  /** Prompt tokens Google would have had in its cache, had the prompt not been cut. Default: as many as it had. */
  cachedWithoutTrim?: number
  /** The tier was Castor's choice; the client asked for standard. */
  tierChosen?: boolean
}

/**
 * What trimming and a cheaper tier saved on a call that went upstream: the way from the price of the untouched request at
 * standard, to the trimmed one at standard, to what was paid. The two steps add up to the whole way, so nothing counts
 * twice. Trimming that cost more in lost caching than it cut is negative, and stays so.
 */
export function savedByChange(usage: TokenUsage, tier: Tier, price: Price | null, change: Change): Savings {
  const paid = price ? costOf(usage, tier, price) : null
  const standard = price ? costOf(usage, 'standard', price) : null
  if (!price || !paid || !standard) return noSavings
  const savings = { ...noSavings }
  const trimmed = tokenCount(change.trimmedTokens)
  if (trimmed > 0) {
    const untouched = costOf(untrimmed(usage, trimmed, change.cachedWithoutTrim), 'standard', price)
    savings.trim = untouched ? untouched.total - standard.total : 0
  }
  if (change.tierChosen) savings.tier = standard.total - paid.total
  return savings
}

function untrimmed(usage: TokenUsage, trimmed: number, cached: number | undefined): TokenUsage {
  const promptTokens = tokenCount(usage.promptTokens) + trimmed
  return { ...usage, promptTokens, cachedTokens: Math.min(promptTokens, cached ?? tokenCount(usage.cachedTokens)) }
}

/** nano-USD over any set of events. */
export interface NetSavings {
  exact: number
  semantic: number
  coalesced: number
  tier: number
  trim: number
  gross: number
  /** Embeddings, checks, summaries, probes, prewarming, and attempts that a retry or fallback made worthless. */
  overhead: number
  net: number
  /** Google's own caching: shown, never added. */
  providerCache: number
}

/** The savings in a sum of measures. */
export function netSavings(measures: Measures): NetSavings {
  const { savedExact, savedSemantic, savedCoalesced, savedTier, savedTrim, overhead, providerCache } = measures
  const gross = savedExact + savedSemantic + savedCoalesced + savedTier + savedTrim
  return {
    exact: savedExact,
    semantic: savedSemantic,
    coalesced: savedCoalesced,
    tier: savedTier,
    trim: savedTrim,
    gross,
    overhead,
    net: gross - overhead,
    providerCache,
  }
}
