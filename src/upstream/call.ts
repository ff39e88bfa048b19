import type { Dispatcher } from 'undici'

/** One call to the upstream, ready to send. */
export interface Call {
  origin: string
  path: string
  method: string
  /** flat list of names and values */
  headers: string[]
  body: Buffer | null
}

/** Who receives an answer. Exactly one of `complete` and `failed` ends it; nothing is called after an abort. */
export interface Receiver {
  /** @param headers flat list in the upstream's own case and order */
  head(statusCode: number, statusMessage: string, headers: string[]): void
  /** Returns false to pause the upstream until `CallHandle.resume`. */
  chunk(bytes: Buffer): boolean
  complete(): void
  failed(error: Error): void
}

/**
 * A call in flight. It is undici's handler itself, in the older of undici 7's two handler forms: only that one hands out the raw headers
 * (case, order and duplicates as they came) without building an object of them, and skips a wrapper for each chunk.
 */
export class CallHandle implements Dispatcher.DispatchHandler {
  readonly #receiver: Receiver
  #abort: ((reason?: Error) => void) | null = null
  #resume: (() => void) | null = null
  #ended = false

  constructor(receiver: Receiver) {
    this.#receiver = receiver
  }

  /** Cancels the call, before or after its head. */
  abort(): void {
    if (this.#ended) return
    this.#ended = true
    this.#abort?.(new Error('the client has left'))
  }

  /** Lets a paused answer go on. */
  resume(): void {
    this.#resume?.()
  }

  onConnect(abort: (reason?: Error) => void): void {
    this.#abort = abort
    if (this.#ended) abort(new Error('the client has left'))
  }

  onHeaders(statusCode: number, headers: Buffer[], resume: () => void, statusMessage: string): boolean {
    // An informational answer (1xx) precedes the real one.
    if (this.#ended || statusCode < 200) return true
    this.#resume = resume
    this.#receiver.head(statusCode, statusMessage, decodeHeaders(headers))
    return true
  }

  onData(bytes: Buffer): boolean {
    return this.#ended ? true : this.#receiver.chunk(bytes)
  }

  onComplete(): void {
    if (this.#ended) return
    this.#ended = true
    this.#receiver.complete()
  }

  onError(error: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#receiver.failed(error)
  }
}

/** Sends a call. Failures before and after its head come through `receiver.failed`. */
export function startCall(dispatcher: Dispatcher, call: Call, receiver: Receiver): CallHandle {
  const handle = new CallHandle(receiver)
  // undici's own types name the method; a Gemini call may carry any that HTTP allows.
  dispatcher.dispatch({ ...call, method: call.method as Dispatcher.HttpMethod }, handle)
  return handle
}

/** Header bytes are latin1 on the wire (RFC 9110 §5.5), and Node writes strings of header values as latin1 too. */
function decodeHeaders(raw: Buffer[]): string[] {
  const headers = new Array<string>(raw.length)
  for (let index = 0; index < raw.length; index++) headers[index] = (raw[index] as Buffer).toString('latin1')
  return headers
}
