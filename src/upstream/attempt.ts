import type { Exchange } from '../exchange/exchange.ts'
import type { GatewayError } from '../gemini/errors.ts'
import type { Permit } from './breakers.ts'
import type { CallHandle, Receiver } from './call.ts'
import { upstreamFailure } from './failure.ts'
import type { Guard } from './guard.ts'
import { readQuota } from './quota.ts'

/** What one attempt upstream came to: `complete`, `client_abort`, `retried`, `moved`, `rescued`, or the reason of the error it failed with. */
export type AttemptResult = string

/** The head of an answer of Gemini. */
export interface Head {
  statusCode: number
  statusMessage: string
  /** flat list in Gemini's own case and order */
  headers: string[]
}

/** An answer of Gemini that the client has not got, kept in case that nobody has a better one. */
export interface Aside extends Head {
  body: Buffer[]
  /** null while it is still being read */
  isWhole: boolean | null
  /** called when `isWhole` is settled */
  onEnd: (() => void) | null
}

/** What becomes of an answer whose head is there; what does not pass is set aside. */
export type Fate = 'pass' | 'retried' | 'moved' | 'rescued'

/** Who decides what becomes of an attempt. */
export interface Course {
  begins(head: Aside): Fate
  chunk(bytes: Buffer): boolean
  complete(): void
  failed(failure: GatewayError): void
}

export interface AttemptOptions {
  exchange: Exchange
  upstream: string
  guard: Guard
  permit: Permit
  course: Course
  settled(result: AttemptResult, failure: GatewayError | null): void
}

/** Of an answer that the client does not get, as much is read as an error of Gemini has, so that its connection stays usable. */
const asideBytes = 64 * 1024
const asideMs = 2_000

/** One attempt: the receiver of the upstream's answer, and its report to breaker and throttle. */
export class Attempt implements Receiver {
  readonly #options: AttemptOptions
  #over = false
  #aside: Aside | null = null
  #asideLength = 0
  #timer: NodeJS.Timeout | undefined
  #quota: ReturnType<typeof readQuota> | null = null
  /** null only until the call has started */
  call: CallHandle | null = null

  constructor(options: AttemptOptions) {
    this.#options = options
  }

  head(statusCode: number, statusMessage: string, headers: string[]): void {
    const { course, permit } = this.#options
    // What Gemini refuses for the caller's sake says nothing of its health.
    if (statusCode >= 500) permit.settle('failure', `HTTP ${statusCode}`)
    else permit.settle(statusCode < 400 ? 'success' : 'neutral')
    this.#heed(statusCode, headers)
    const head = { statusCode, statusMessage, headers, body: [], isWhole: null, onEnd: null }
    const fate = course.begins(head)
    if (fate === 'pass') return
    this.#aside = head
    this.#end(fate, null)
    this.#timer = setTimeout(() => this.#close(false), asideMs).unref()
  }

  #heed(statusCode: number, headers: string[]): void {
    const { guard, exchange, upstream } = this.#options
    if (statusCode === 200) guard.answered(exchange, upstream)
    else if (statusCode === 429) {
      this.#quota = readQuota({ headers }, guard.refusing(exchange, upstream))
    }
  }

  chunk(bytes: Buffer): boolean {
    this.#quota?.chunk(bytes)
    if (this.#aside === null) return this.#options.course.chunk(bytes)
    this.#asideLength += bytes.length
    if (this.#asideLength > asideBytes) this.#close(false)
    else this.#aside.body.push(bytes)
    return true
  }

  complete(): void {
    this.#quota?.end()
    if (this.#aside !== null) return this.#close(true)
    this.#end('complete', null)
    this.#options.course.complete()
  }

  failed(error: Error): void {
    if (this.#aside !== null) return this.#close(false)
    const failure = upstreamFailure(error)
    // Also of what began well: an answer that breaks off is a failure of its own.
    this.#options.permit.settle('failure', failure.reason)
    this.#end(failure.reason, failure)
    this.#options.course.failed(failure)
  }

  /** Ends an attempt that nobody waits for any more. */
  cancel(result: AttemptResult): void {
    if (this.#over) return
    this.call?.abort()
    this.#options.permit.settle('neutral')
    this.#end(result, null)
  }

  /** Gives up on an attempt that is too slow. */
  expire(failure: GatewayError): void {
    if (this.#over) return
    this.call?.abort()
    this.#options.permit.settle('failure', failure.reason)
    this.#end(failure.reason, failure)
    this.#options.course.failed(failure)
  }

  /** Ends the reading of an answer that was set aside. */
  #close(isWhole: boolean): void {
    const aside = this.#aside
    clearTimeout(this.#timer)
    if (!isWhole) this.call?.abort()
    if (aside === null || aside.isWhole !== null) return
    aside.isWhole = isWhole
    aside.onEnd?.()
  }

  #end(result: AttemptResult, failure: GatewayError | null): void {
    this.#over = true
    this.#options.settled(result, failure)
  }
}
