// From what an exchange came to, to what is booked of it: its outcome, its source and its saving, in the words of the ledger.
import type { CacheOutcome, Exchange } from '../exchange/exchange.ts'
import { headerValue } from '../gemini/headers.ts'
import type { Observation } from '../gemini/observe.ts'
import type { AttemptEnd } from './attempt.ts'
import { estimateTextBytes } from './estimate.ts'
import { type CacheState, hitSources, type Outcome, type Source, statusOutcome } from './outcome.ts'
import { type TokenUsage, tokenCount } from './tokens.ts'

/** Reasons of errors of ours that tell what went wrong upstream; every other one is a refusal, or a fault of ours. */
const failures: Record<string, Outcome> = {
  CASTOR_UPSTREAM_UNREACHABLE: 'connect_failed',
  CASTOR_UPSTREAM_TIMEOUT: 'timeout',
  CASTOR_UPSTREAM_BROKEN: 'upstream_broken',
  CASTOR_UPSTREAM_QUOTA: 'rate_limited',
  CASTOR_UPSTREAM_OPEN: 'upstream_error',
  CASTOR_INTERNAL: 'failed',
}

const blocking = /SAFETY|RECITATION|BLOCKLIST|PROHIBITED|SPII|LANGUAGE/

/** How the exchange ended, as the ledger calls it. */
export function outcomeOf(exchange: Exchange, observation: Observation | null): Outcome {
  // A client that leaves a call which others follow leaves it to them: an answer that came whole was used.
  if (exchange.outcome === 'client_abort' && observation?.complete !== true) return 'client_abort'
  if (exchange.failure !== null) return failures[exchange.failure] ?? 'refused'
  if (exchange.statusCode >= 400) return statusOutcome(exchange.statusCode)
  if (observation === null || !isGeminis(exchange.source) || exchange.target.traffic === 'live') return 'completed'
  if (observation.errorTail !== undefined || exchange.outcome === 'upstream_broken') return 'upstream_broken'
  const { kind, blockReason, finishReasons, continuation } = observation.finish
  if (blockReason !== undefined || finishReasons.some((reason) => blocking.test(reason))) return 'blocked'
  // What is too large to be read tells nothing of its end.
  if (kind !== 'answer' || continuation || observation.complete || !observation.readable) return 'completed'
  // A stream that ended in order, yet never said why: cut on the way, and every client takes it for whole.
  return finishReasons.every((reason) => reason === 'FINISH_REASON_UNSPECIFIED') ? 'upstream_broken' : 'truncated'
}

/** Whether the answer came from Gemini for this very call. */
function isGeminis(source: Exchange['source']): boolean {
  return source === 'upstream' || source === 'fallback'
}

/** How the attempt that gave the answer ended. */
export function endOf(exchange: Exchange, outcome: Outcome, observation: Observation | null): AttemptEnd {
  return {
    outcome,
    status: exchange.statusCode,
    error: exchange.failure ?? observation?.errorTail?.status ?? '',
    // A count of tokens is an answer about them: none was used.
    ...(observation === null || exchange.target.operation === 'countTokens' ? {} : { usage: observation.usage }),
    ...(observation?.finish.modelVersion === undefined ? {} : { modelServed: observation.finish.modelVersion }),
    ...(exchange.servedTier === null ? {} : { serviceTier: exchange.servedTier }),
    sentBytes: exchange.body?.length ?? 0,
    deliveredTextBytes: textBytes(exchange, observation),
    unmetered: exchange.target.traffic === 'other',
    ...(exchange.timings.upstream === null ? {} : { firstByteMs: exchange.timings.upstream }),
  }
}

/** How an attempt ended that did not answer. @param trouble Gemini's status or a reason of ours; null when nothing is known */
export function missedEnd(exchange: Exchange, trouble: { status: number } | { reason: string } | null): AttemptEnd {
  const sentBytes = exchange.body?.length ?? 0
  if (trouble === null) return { outcome: 'failed', sentBytes }
  if ('status' in trouble) return { outcome: statusOutcome(trouble.status), status: trouble.status, sentBytes }
  return { outcome: failures[trouble.reason] ?? 'failed', error: trouble.reason, sentBytes }
}

/** Bytes of text that came, for the estimate of what nobody counted. Vectors are no output tokens. */
function textBytes({ target }: Exchange, observation: Observation | null): number {
  if (observation === null || target.operation === null || /embed/i.test(target.operation)) return 0
  return estimateTextBytes(observation.bytes, observation.events)
}

/** Who answered, as the ledger calls it. A budget may have moved the call to another model than the one asked for. */
export function sourceOf(exchange: Exchange, asked: { readonly call: { readonly model: string } } | null): Source {
  const { source, cache, model } = exchange
  if (source === 'fallback') return 'fallback'
  if (source === 'upstream') return asked === null || asked.call.model === (model ?? '') ? 'upstream' : 'fallback'
  if (source === 'coalesced') return 'coalesced'
  if (source === 'cache') return cache === 'stale' ? 'stale' : 'exact'
  return 'none'
}

/**
 * The usage that a call to Gemini would have had, where memory or an equal call spared one and the client got the answer. A stale answer
 * stands in for an outage, or is followed by a call of its own: it saves nothing.
 */
export function savingUsage(exchange: Exchange, source: Source, observation: Observation | null): TokenUsage | null {
  if (!hitSources.has(source) || source === 'stale' || exchange.outcome !== 'complete') return null
  const usage = source === 'coalesced' ? (observation?.usage ?? null) : exchange.rememberedUsage
  return usage === null || usage.source === 'none' ? null : usage
}

/** Tokens of a usage, all classes that Gemini bills. */
export function reportedUsage(usage: TokenUsage): number {
  const { promptTokens, candidateTokens, thoughtTokens, toolUseTokens } = usage
  return tokenCount(promptTokens) + tokenCount(candidateTokens) + tokenCount(thoughtTokens) + tokenCount(toolUseTokens)
}

const cacheStates: Record<CacheOutcome, CacheState> = {
  exact: 'hit',
  stale: 'hit',
  coalesced: 'hit',
  miss: 'miss',
  bypass: 'excluded',
  shadow: 'miss',
}

/** What the cache had to say. */
export function cacheStateOf({ cache }: Exchange): CacheState {
  return cache === null ? 'off' : cacheStates[cache]
}

/** What is asked, as the ledger calls it: the operation, what is billed beyond the model calls, else the route's template. */
export function operationOf({ target }: Exchange): string {
  if (target.operation !== null) return target.operation
  if (target.traffic === 'live') return 'live'
  const verb = /:(predict|predictLongRunning)$/.exec(target.route)?.[1]
  if (verb !== undefined) return verb
  return target.route.endsWith('/images/generations') ? 'images.generations' : target.route
}

/** The tier that Google says it served, from the head of its answer; null when it says nothing. */
export function servedTierOf(headers: readonly string[]): string | null {
  return headerValue(headers, 'x-gemini-service-tier') ?? null
}
