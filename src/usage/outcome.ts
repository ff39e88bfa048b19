// The closed vocabularies of metering. Reports, metrics and the ledger know these words and no others.

/**
 * How one attempt ended.
 * - completed: a 2xx answer with a proper end (a stream with its finishReason)
 * - truncated: complete on the wire, but the model stopped at a limit (MAX_TOKENS, OTHER, a malformed call)
 * - blocked: Gemini answered 200 and refused (blockReason, SAFETY, RECITATION, PROHIBITED_CONTENT ...)
 * - rate_limited: 429 from Gemini
 * - client_error: any other 4xx from Gemini
 * - upstream_error: 5xx from Gemini
 * - upstream_broken: the answer broke off after its head (reset, raw error tail, clean end without finishReason)
 * - timeout: one of our deadlines passed
 * - connect_failed: no connection (refused, DNS, TLS); nothing was sent
 * - client_abort: the client left first
 * - refused: Castor itself said no (budget, limit, open breaker without fallback, only-if-cached)
 * - failed: a fault of ours
 */
export const outcomes = [
  'completed',
  'truncated',
  'blocked',
  'rate_limited',
  'client_error',
  'upstream_error',
  'upstream_broken',
  'timeout',
  'connect_failed',
  'client_abort',
  'refused',
  'failed',
] as const
export type Outcome = (typeof outcomes)[number]

/** Outcomes that count against the error rate. A client that leaves, asks wrongly or meets its own budget is no fault of the service. */
export const errorOutcomes: ReadonlySet<Outcome> = new Set([
  'rate_limited',
  'upstream_error',
  'upstream_broken',
  'timeout',
  'connect_failed',
  'failed',
])

/** Outcomes whose money bought nothing anybody could use. */
export const wasteOutcomes: ReadonlySet<Outcome> = new Set([
  'upstream_error',
  'upstream_broken',
  'timeout',
  'client_abort',
  'failed',
])

/**
 * Where the answer came from.
 * - upstream: the model that was asked; fallback: another model of the chain
 * - exact, semantic, stale: from memory; coalesced: from a call already in flight; duplicate: from a twin in the same batch
 * - extraction, template: made by Castor without a model (availability, never counted as money saved)
 * - none: nobody answered
 */
export const sources = [
  'upstream',
  'fallback',
  'exact',
  'semantic',
  'stale',
  'coalesced',
  'duplicate',
  'extraction',
  'template',
  'none',
] as const
export type Source = (typeof sources)[number]

/** Sources that spared a call to Gemini. */
export const hitSources: ReadonlySet<Source> = new Set(['exact', 'semantic', 'stale', 'coalesced', 'duplicate'])

/**
 * What the cache had to say, for calls that went upstream.
 * - off: not consulted by setting; excluded: of a kind that is never cached; sampling: passed because the request asks
 *   for variety (temperature, seed); directive: the client's Cache-Control; expired: an entry was there but too old
 */
export const cacheStates = ['', 'hit', 'miss', 'expired', 'sampling', 'excluded', 'directive', 'off'] as const
export type CacheState = (typeof cacheStates)[number]

/** Why a call was made. Everything but `client` is Castor's own and is booked as overhead. */
export const purposes = ['client', 'embedding', 'verification', 'summary', 'probe', 'prewarm', 'shadow'] as const
export type Purpose = (typeof purposes)[number]

/**
 * Where the token figures come from: reported by Gemini; partial: reported, but at least one class had to be taken from an
 * earlier chunk or estimated; estimated: Gemini said nothing; none: there was nothing to bill.
 */
export const usageSources = ['reported', 'partial', 'estimated', 'none'] as const
export type UsageSource = (typeof usageSources)[number]

export const tiers = ['standard', 'batch', 'flex', 'priority', 'provisioned', 'other'] as const
export type Tier = (typeof tiers)[number]

/** Is this one of the tier names of ours? */
export function isTier(name: string): name is Tier {
  return (tiers as readonly string[]).includes(name)
}

/**
 * The tier that was served, from `x-gemini-service-tier`, `usageMetadata.serviceTier` or Vertex' `trafficType`. Absent means
 * standard. A name Google invents later is `other`: no price, rather than a wrong one.
 */
export function servedTier(name: string | undefined | null): Tier {
  if (!name) return 'standard'
  const word = name.toLowerCase().replace(/^service_tier_|^on_demand_/, '')
  if (word === 'on_demand' || word === 'standard' || word === 'default' || word === 'unspecified') return 'standard'
  if (word === 'provisioned_throughput') return 'provisioned'
  return word === 'batch' || word === 'flex' || word === 'priority' ? word : 'other'
}

/** The outcome of a reply that Gemini finished with this HTTP status. */
export function statusOutcome(status: number): Outcome {
  if (status < 400) return 'completed'
  if (status === 429) return 'rate_limited'
  return status < 500 ? 'client_error' : 'upstream_error'
}
