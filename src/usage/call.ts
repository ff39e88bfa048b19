// One client call (or one call of Castor's own) and its attempts, booked so that each attempt and the call count once.
import { type Attempt, type AttemptResult, createAttempt } from './attempt.ts'
import { noCost } from './cost.ts'
import { boundDimensions, noSavings, type Savings, type UsageEvent, zeroTokens } from './event.ts'
import { isBilled } from './operation.ts'
import type { CacheState, Outcome, Purpose, Source } from './outcome.ts'
import type { Prices } from './prices.ts'

export interface CallStart {
  requestId: string
  tenant: string
  /** From canonicalTags. */
  tags: string
  interaction: string
  operation: string
  /** The model that was asked for; empty when the operation has none. */
  model: string
  purpose?: Purpose
}

export interface CallEnd {
  source: Source
  outcome: Outcome
  status: number
  error?: string
  cache?: CacheState
  savings?: Partial<Savings>
  savedTokens?: number
  trimmedTokens?: number
  /** The same question has been seen before, yet went upstream. */
  repeat?: boolean
  /** From the request's arrival to its end, and to the answer's first byte, ms. */
  latencyMs: number
  firstByteMs?: number
}

export interface Call {
  /** The model that was asked for. */
  readonly model: string
  /** Opens the account of the next attempt, on `model` of the fallback chain (default: the model asked for). */
  attempt(model?: string): Attempt
  /** Settles the call; only the first time counts. An attempt still running is booked when it ends. */
  finish(end: CallEnd): void
}

export interface CallOptions {
  prices: Prices
  /** Takes each event exactly once (a ledger's `record`). */
  book: (event: UsageEvent) => void
  /** ms since the epoch */
  now: () => number
}

/**
 * Opens the account of a call. An attempt is held back until the next one begins or the call ends, because only then is
 * it known whether it settled the call; what was spent on one that did not is overhead.
 */
export function createCall(start: CallStart, options: CallOptions): Call {
  const purpose = start.purpose ?? 'client'
  const billable = isBilled(start.operation)
  let attempts = 0
  let held: { number: number; result: AttemptResult } | null = null
  let settled = false

  function attempt(model: string = start.model): Attempt {
    attempts += 1
    release()
    const number = attempts
    return createAttempt({
      model,
      billable,
      prices: options.prices,
      now: options.now,
      onFinish(result) {
        if (settled || number !== attempts) book(number, result, null)
        else held = { number, result }
      },
    })
  }

  function release(): void {
    if (held) book(held.number, held.result, null)
    held = null
  }

  function finish(end: CallEnd): void {
    if (settled) return
    settled = true
    if (held && (end.source === 'upstream' || end.source === 'fallback' || end.source === 'none')) {
      book(held.number, held.result, end)
      held = null
      return
    }
    release()
    book(0, null, end)
  }

  function book(number: number, result: AttemptResult | null, end: CallEnd | null): void {
    const source = end?.source ?? (result?.modelAsked === start.model ? 'upstream' : 'fallback')
    const cost = result ? result.cost : noCost
    const own = purpose !== 'client'
    const superseded = result !== null && end === null && number < attempts
    options.book({
      ...boundDimensions({
        tenant: start.tenant,
        tags: start.tags,
        interaction: start.interaction,
        operation: start.operation,
        modelAsked: start.model,
        modelServed: result?.modelServed ?? '',
        tier: result?.tier ?? 'standard',
        source,
        outcome: end?.outcome ?? result?.outcome ?? 'failed',
        error: end?.error ?? result?.error ?? '',
        cache: end?.cache ?? '',
        purpose,
      }),
      requestId: start.requestId,
      attempt: number,
      // Castor's own calls are attempts, but nobody's call.
      final: end !== null && !own,
      atMs: result && !end ? result.endedAtMs : options.now(),
      status: end?.status ?? result?.status ?? 0,
      tokens: result?.tokens ?? zeroTokens,
      usageSource: result?.usageSource ?? 'none',
      cost,
      priceKind: result?.priceKind ?? 'none',
      priceVersion: result?.priceVersion ?? '',
      longContext: result?.longContext ?? false,
      groundingQueries: result?.groundingQueries ?? 0,
      savings: { ...noSavings, ...end?.savings },
      providerCacheNanoUsd: result?.providerCacheNanoUsd ?? 0,
      overheadNanoUsd: own || superseded ? (cost?.total ?? 0) : 0,
      savedTokens: end?.savedTokens ?? 0,
      trimmedTokens: end?.trimmedTokens ?? 0,
      repeat: end?.repeat ?? false,
      latencyMs: end && !own ? end.latencyMs : null,
      firstByteMs: (end && !own ? end.firstByteMs : undefined) ?? null,
    })
  }

  return { model: start.model, attempt, finish }
}
