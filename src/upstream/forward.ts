import type { ServerResponse } from 'node:http'
import type { Agent } from 'undici'
import type { Answer } from '../exchange/answer.ts'
import type { Exchange, Trouble } from '../exchange/exchange.ts'
import { renderServerTiming } from '../exchange/timing.ts'
import { isErrorTail } from '../gemini/error-tail.ts'
import { GatewayError } from '../gemini/errors.ts'
import { upstreamHeaders } from '../gemini/headers.ts'
import { type Aside, Attempt, type AttemptResult, type Course, type Fate } from './attempt.ts'
import { startCall } from './call.ts'
import type { Chain } from './chain.ts'
import { Detour } from './detour.ts'
import { earlyFailure, lateFailure } from './failure.ts'
import type { Guard } from './guard.ts'
import type { Origin } from './origin.ts'
import type { Retries } from './retry.ts'

export interface ForwardOptions {
  agent: Agent
  origin: Origin
  guard: Guard
  retries: Retries
  /** the client's headers as received */
  rawHeaders: readonly string[]
  /** what the call may fall back upon */
  chainOf(exchange: Exchange, rawHeaders: readonly string[]): Chain | null
  /** told before the exchange goes on with another model than it asked for */
  moving(exchange: Exchange): void
  /** told when an attempt goes out */
  begun(exchange: Exchange): void
  /** told of Gemini's status when somebody else may answer instead */
  failing(exchange: Exchange, statusCode: number): void
  /** told once for each attempt, when it is over */
  settled(exchange: Exchange, result: AttemptResult, failure: GatewayError | null): void
}

/**
 * Sends a model call to Gemini as the client's own bytes and passes the answer on as it arrives: the head at once, each chunk when it
 * comes, no faster than the client reads. A client that leaves cancels the call, before its head and after. Until the first byte of an
 * answer goes out, a failure may be followed by another attempt, by one of another model, or by an old answer.
 * @param response the raw response of a hijacked reply
 */
export function forward(exchange: Exchange, response: ServerResponse, answer: Answer, options: ForwardOptions): void {
  const course = new Forwarding(exchange, answer, options)
  // Only an answer that others follow is cancelled by somebody else than its own client. Tying every exchange to its connection instead
  // made all of them outlive young collections (bench/README.md).
  if (exchange.keepAsking !== null) exchange.cancel = () => course.cancel()
  response.on('drain', () => course.resume())
  response.once('close', () => course.leave())
  options.retries.called()
  course.send()
}

/** The course of one model call, from its first attempt to its end. */
class Forwarding implements Course {
  readonly #exchange: Exchange
  readonly #answer: Answer
  readonly #options: ForwardOptions
  readonly #startedAt = performance.now()
  readonly #detour: Detour | null
  #attempt: Attempt | null = null
  /** of the pause before a retry, or of the wait for a first byte */
  #timer: NodeJS.Timeout | undefined
  /** the head of a stream whose first event is still awaited */
  #held: Aside | null = null
  #isCommitted = false
  #over = false

  constructor(exchange: Exchange, answer: Answer, options: ForwardOptions) {
    this.#exchange = exchange
    this.#answer = answer
    this.#options = options
    const chain = options.chainOf(exchange, options.rawHeaders)
    this.#detour = chain === null ? null : new Detour(exchange, chain, options.moving)
  }

  /** Asks Gemini, if it is to be asked at all. */
  send(): void {
    const exchange = this.#exchange
    const { target } = exchange
    const { agent, origin, guard, rawHeaders, begun, settled } = this.#options
    const permit = guard.admit(exchange, origin.origin)
    if (permit instanceof GatewayError) return this.#goOn(permit)
    exchange.attempts += 1
    begun(exchange)
    const attempt = new Attempt({
      exchange,
      upstream: origin.origin,
      guard,
      permit,
      course: this,
      settled: (result, failure) => settled(exchange, result, failure),
    })
    this.#attempt = attempt
    this.#limit(attempt)
    attempt.call = startCall(
      agent,
      {
        origin: origin.origin,
        path: origin.prefix + target.path + target.search,
        method: 'POST',
        headers: upstreamHeaders(rawHeaders, exchange.outgoing),
        body: exchange.body,
      },
      attempt,
    )
  }

  /** Only where somebody else could answer is anybody given less time than any call has. */
  #limit(attempt: Attempt): void {
    const limitMs = this.#detour?.limitMs ?? null
    if (limitMs === null) return
    this.#timer = setTimeout(() => attempt.expire(lateFailure()), limitMs)
  }

  begins(head: Aside): Fate {
    const exchange = this.#exchange
    const { statusCode } = head
    exchange.timings.upstream = performance.now() - this.#startedAt
    const isFailure = statusCode === 429 || statusCode >= 500
    if (isFailure || (this.#detour?.isAway && statusCode !== 200)) {
      const fate = this.#evade(head)
      if (fate !== 'pass') return fate
    }
    // Gemini can fail within a 200: the first event tells, and until then others may still answer.
    if (statusCode === 200 && this.#detour !== null && exchange.target.framing === 'sse') this.#held = head
    else this.#commit(head)
    return 'pass'
  }

  /** Looks for somebody else to answer instead of this head. */
  #evade(head: Aside): Fate {
    const trouble = { status: head.statusCode }
    clearTimeout(this.#timer)
    if (this.#exchange.rescue !== null || this.#detour !== null || this.#options.retries.allowed)
      this.#options.failing(this.#exchange, head.statusCode)
    if (this.#retry(trouble)) return 'retried'
    this.#detour?.keep(head)
    if (this.#move()) return 'moved'
    this.#detour?.comeBack()
    if (this.#rescue(trouble)) return 'rescued'
    const kept = this.#detour?.kept ?? head
    if (kept === head) return 'pass'
    this.#replay(kept)
    return 'rescued'
  }

  #commit({ statusCode, statusMessage, headers }: Aside): void {
    const exchange = this.#exchange
    clearTimeout(this.#timer)
    this.#held = null
    this.#isCommitted = true
    const added = ['x-castor-request-id', exchange.id, 'server-timing', renderServerTiming(exchange, performance.now())]
    if (statusCode === 200 && exchange.model !== null) added.push('x-castor-model', exchange.model)
    this.#detour?.mark(added)
    this.#answer.head(statusCode, statusMessage, headers, added, this.#detour?.isAway ? 'fallback' : 'upstream')
  }

  chunk(bytes: Buffer): boolean {
    const held = this.#held
    if (held !== null) {
      if (isErrorTail(held, bytes)) {
        this.#attempt?.expire(earlyFailure())
        return true
      }
      this.#commit(held)
    }
    return this.#answer.write(bytes)
  }

  complete(): void {
    if (this.#held !== null) this.#commit(this.#held)
    this.#over = true
    this.#answer.end()
  }

  failed(failure: GatewayError): void {
    clearTimeout(this.#timer)
    this.#held = null
    if (this.#isCommitted) {
      this.#over = true
      this.#answer.breakOff(failure)
    } else if (!this.#retry({ reason: failure.reason })) this.#goOn(failure)
  }

  /** The client reads again. */
  resume(): void {
    this.#attempt?.call?.resume()
  }

  /** The client's connection is done: what is still in flight for it is cancelled, unless somebody else wants it. */
  leave(): void {
    if (this.#over) return
    if (this.#exchange.keepAsking?.()) {
      this.#answer.desert()
      this.resume()
    } else this.cancel()
  }

  cancel(): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    this.#attempt?.cancel('client_abort')
    this.#answer.abandon()
  }

  #retry(trouble: Trouble): boolean {
    // A step of the chain is not tried twice: the next one is.
    if (this.#detour?.isAway) return false
    const delayMs = this.#options.retries.next(this.#exchange, trouble, this.#options.rawHeaders)
    if (delayMs === null) return false
    this.#timer = setTimeout(() => this.send(), delayMs)
    return true
  }

  #move(): boolean {
    if (this.#detour === null || !this.#detour.next()) return false
    this.send()
    return true
  }

  #rescue(trouble: Trouble): boolean {
    const isRescued = this.#exchange.rescue?.(trouble) ?? false
    if (isRescued) this.#over = true
    return isRescued
  }

  /** Gemini has not answered, or is not to be asked: the next model, an old answer, or the error of the model that was asked for. */
  #goOn(failure: GatewayError): void {
    const detour = this.#detour
    detour?.keepFailure(failure)
    if (this.#move()) return
    detour?.comeBack()
    if (this.#rescue({ reason: failure.reason })) return
    if (detour?.kept) return this.#replay(detour.kept)
    this.#over = true
    this.#answer.refuse(detour?.failure ?? failure)
  }

  /** Nobody had a better answer: the client gets the error of the model that it asked for. */
  #replay(kept: Aside): void {
    if (this.#over) return
    if (kept.isWhole === null) {
      kept.onEnd = () => this.#replay(kept)
      return
    }
    this.#over = true
    if (!kept.isWhole) return this.#answer.refuse(earlyFailure())
    this.#commit(kept)
    for (const bytes of kept.body) this.#answer.write(bytes)
    this.#answer.end()
  }
}
