import type { Caller } from '../auth/caller.ts'
import type { OutgoingCredentials } from '../gemini/headers.ts'
import { modelName } from '../gemini/model-name.ts'
import type { Observation } from '../gemini/observe.ts'
import type { Target } from '../gemini/target.ts'
import type { Usage } from '../gemini/usage.ts'
import type { Account } from '../usage/books.ts'
import type { Reservation } from '../usage/budget.ts'

/** Who gave the answer: Gemini, another model of Gemini than asked, this gateway (an error of its own), its memory, or an equal call in flight. */
export type AnswerSource = 'upstream' | 'fallback' | 'gateway' | 'cache' | 'coalesced'

/**
 * How an exchange ended, as the client saw it.
 * complete: every byte of an answer went out, whatever its status · client_abort: the client left before that ·
 * upstream_broken: the upstream's answer broke off after it had begun · failed: the gateway answered with an error of its own
 */
export type Outcome = 'complete' | 'client_abort' | 'upstream_broken' | 'failed'

/** Head of an answer as it goes to the client. */
export interface AnswerHead {
  readonly statusCode: number
  /** flat list of names and values as they came from the upstream, before anything of ours */
  readonly headers: readonly string[]
  readonly source: AnswerSource
}

/**
 * Sees an answer go by. Whoever answers writes to the client first and then calls the taps in the order in which they were left.
 * A tap can neither delay nor change what the client gets; one that throws is dropped and counted.
 */
export interface Tap {
  /** for the count of dropped taps */
  readonly name: string
  head?(head: AnswerHead): void
  /** the bytes belong to the stream: a tap that keeps them beyond the call may, but must never write to them */
  chunk?(bytes: Buffer): void
  /**
   * Called exactly once for every exchange, also when nobody answered.
   * @param whole the answer was seen to its proper end, even if the client had left by then
   */
  end?(outcome: Outcome, whole: boolean): void
}

/** Why another answer is looked for: Gemini's own status, or the reason of a failure of ours. */
export type Trouble = { status: number } | { reason: string }

/** Milliseconds spent, by stage; null where a stage was not reached. For Server-Timing, the log and the metrics. */
export interface Timings {
  auth: number
  cache: number | null
  context: number | null
  /** until the upstream's first byte */
  upstream: number | null
}

/** Everything known about one request on its way through the house. Each plugin reads what earlier ones wrote and adds its own. */
export interface Exchange {
  /** also the value of `x-castor-request-id` */
  readonly id: string
  /** `performance.now()` at the arrival of the headers */
  readonly startedAt: number
  /** replaced when a budget degrades the call to a cheaper model */
  target: Target
  readonly caller: Caller
  readonly outgoing: OutgoingCredentials
  /** `x-castor-tags`, parsed; the client's own tags from gateway.yaml included */
  readonly tags: Readonly<Record<string, string>>
  /** `x-castor-interaction`: the interaction type, null when not given */
  readonly interaction: string | null
  /** the original bytes of a model call; null before they are read and for everything else */
  body: Buffer | null
  /** model asked for: from the path, or from the body where the dialect names it there; null when unknown */
  model: string | null
  readonly timings: Timings
  readonly taps: Tap[]
  /** status the client got; 0 until then */
  statusCode: number
  source: AnswerSource
  /** `performance.now()` of the first byte of the answer's head towards the client; null before */
  answeredAt: number | null
  outcome: Outcome | null
  /** reason of the error that Castor answered with, if it did */
  failure: string | null
  /** attempts made upstream for this exchange */
  attempts: number
  /** `x-castor-context`: pairs that an answer depends on besides the request, null when not given */
  readonly context: Readonly<Record<string, string>> | null
  /** what the cache did, for the log and the metrics; null for what it does not look at */
  cache: CacheOutcome | null
  /** tier that Gemini says it served, from the head of its answer; null when it says nothing */
  servedTier: string | null
  /** usage of the remembered answer that was served, as Gemini reported it then */
  rememberedUsage: Usage | null
  /** this exchange on the books, once something of it is to be booked */
  account: Account | null
  /** what a budget has set aside for it */
  reservation: Reservation | null
  /** told the answer's status before its head goes out; adds headers of ours to the flat list */
  annotate: ((statusCode: number, headers: string[]) => void) | null
  /** asked when the client leaves: does somebody else still want Gemini's answer? null: nobody */
  keepAsking: (() => boolean) | null
  /** ends the call to Gemini, once there is one */
  cancel: (() => void) | null
  /** asked when Gemini fails before the first byte: true when it has given the client another answer */
  rescue: ((trouble: Trouble) => boolean) | null
  /** what the meter read of the answer: null until it is known, and when there was nothing to read */
  observation: Observation | null
  /** called once when `observation` is settled; use `whenObserved` */
  awaiting: ((observation: Observation | null) => void)[] | null
}

/**
 * exact and stale were served from memory, coalesced from an equal call in flight; miss was asked; bypass was not looked up; shadow was asked
 * although memory had an answer.
 */
export type CacheOutcome = 'exact' | 'stale' | 'coalesced' | 'miss' | 'bypass' | 'shadow'

/** Calls back when the meter has read the answer, at once if it has already. */
export function whenObserved(exchange: Exchange, listener: (observation: Observation | null) => void): void {
  if (exchange.awaiting === null) listener(exchange.observation)
  else exchange.awaiting.push(listener)
}

/** Settles what the meter read; later calls do nothing. */
export function settleObservation(exchange: Exchange, observation: Observation | null): void {
  const listeners = exchange.awaiting
  if (listeners === null) return
  exchange.observation = observation
  exchange.awaiting = null
  for (const listener of listeners) listener(observation)
}

/** A new exchange at the arrival of its headers. */
export function beginExchange(
  request: Pick<Exchange, 'id' | 'startedAt' | 'target' | 'caller' | 'outgoing' | 'tags' | 'interaction' | 'context'>,
): Exchange {
  return {
    id: request.id,
    startedAt: request.startedAt,
    target: request.target,
    caller: request.caller,
    outgoing: request.outgoing,
    tags: request.tags,
    interaction: request.interaction,
    body: null,
    model: modelName(request.target.model),
    timings: { auth: 0, cache: null, context: null, upstream: null },
    taps: [],
    statusCode: 0,
    source: 'gateway',
    answeredAt: null,
    outcome: null,
    failure: null,
    attempts: 0,
    context: request.context,
    cache: null,
    servedTier: null,
    rememberedUsage: null,
    account: null,
    reservation: null,
    annotate: null,
    keepAsking: null,
    cancel: null,
    rescue: null,
    observation: null,
    awaiting: [],
  }
}

let sequence = 0
const boot =
  Math.floor(Math.random() * 36 ** 5)
    .toString(36)
    .padStart(5, '0') + Date.now().toString(36)

/** A request id: unique across processes and restarts, and cheap. */
export function nextRequestId(): string {
  sequence += 1
  return `${boot}-${sequence.toString(36)}`
}

/** Calls every tap that is still sound; one that throws is taken off and reported. */
function callTaps<Seen>(
  exchange: Exchange,
  call: (tap: Tap, seen: Seen) => void,
  seen: Seen,
  dropped: TapDropped,
): void {
  const { taps } = exchange
  for (let index = 0; index < taps.length; index++) {
    const tap = taps[index] as Tap
    try {
      call(tap, seen)
    } catch (error) {
      taps.splice(index--, 1)
      dropped(tap, error)
    }
  }
}

// Made once, not for every chunk.
const seeHead = (tap: Tap, head: AnswerHead) => tap.head?.(head)
const seeChunk = (tap: Tap, bytes: Buffer) => tap.chunk?.(bytes)

/** Told of a tap that threw and was taken off. */
export type TapDropped = (tap: Tap, error: unknown) => void

export function tapHead(exchange: Exchange, head: AnswerHead, dropped: TapDropped): void {
  callTaps(exchange, seeHead, head, dropped)
}

export function tapChunk(exchange: Exchange, bytes: Buffer, dropped: TapDropped): void {
  callTaps(exchange, seeChunk, bytes, dropped)
}

/** Ends the exchange; every later call does nothing. */
export function tapEnd(exchange: Exchange, outcome: Outcome, whole: boolean, dropped: TapDropped): void {
  if (exchange.outcome !== null) return
  exchange.outcome = outcome
  callTaps(exchange, (tap) => tap.end?.(outcome, whole), undefined, dropped)
}
