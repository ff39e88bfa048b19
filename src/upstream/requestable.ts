import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { type Readable, Transform, type TransformCallback } from 'node:stream'
import type { Agent, Dispatcher } from 'undici'
import { GatewayError } from '../gemini/errors.ts'
import { createSweep } from './sweep.ts'

/** What a passed-through call is made of, where http-proxy's own reading would change bytes. */
export interface PassedCall {
  origin: string
  /** path and query, byte for byte */
  path: string
  /** flat list without length and hop-by-hop headers */
  headers: string[]
  /** the client's headers: they tell whether there is a body, and how long it is */
  sent: IncomingHttpHeaders
  maxBodyBytes: number
  /** longest pause of the client within its body */
  bodyIdleMs: number
  /** its `close` cancels the call */
  response: ServerResponse
}

type Done = (error: Error | null, data?: Dispatcher.ResponseData) => void

/**
 * The HTTP client that http-proxy is given. It needs an object with `request`; ours sends on our own Agent (TLS verified, every wait
 * limited), cancels when the client leaves even before the answer's head, sends no body where the client sent none, and bounds each in
 * bytes and in pauses. `next` hands it the call which http-proxy starts within the same turn.
 */
export function createRequestable(agent: () => Agent) {
  let upcoming: PassedCall | null = null
  const sweep = createSweep()

  function request(options: { method: string; body?: unknown }, done: Done): void {
    const call = upcoming
    upcoming = null
    if (call === null) return done(new GatewayError('CASTOR_INTERNAL', 'The gateway failed to handle this request.'))
    // Whoever has left before the call began is not told again.
    if (call.response.destroyed) return done(new GatewayError('CASTOR_BODY_INCOMPLETE', 'The client has left.'))
    const controller = new AbortController()
    call.response.once('close', () => controller.abort())
    const body = bodyOf(options.body, call, sweep)
    const length = call.sent['content-length']
    const headers = body !== null && length !== undefined ? [...call.headers, 'content-length', length] : call.headers
    agent().request(
      {
        origin: call.origin,
        path: call.path,
        // http-proxy hands on the method of a route that lists the methods.
        method: options.method as Dispatcher.HttpMethod,
        headers,
        body,
        signal: controller.signal,
      },
      done,
    )
  }

  return {
    /** Announces the call that the next `request` sends. Both happen in one turn, so calls cannot be mixed up. */
    next(call: PassedCall): void {
      upcoming = call
    },
    /** The shape http-proxy expects of an undici dispatcher. */
    client: { request, destroy() {}, close() {} },
  }
}

function bodyOf(body: unknown, call: PassedCall, sweep: (bytes: number) => void): Readable | null {
  const length = call.sent['content-length']
  const none = call.sent['transfer-encoding'] === undefined && (length === undefined || Number(length) === 0)
  // http-proxy hands on the request itself as the body.
  if (none || body === undefined || body === '' || body === null) return null
  const stream = body as Readable
  const guard = bounded(call, sweep)
  // `pipe` does not hand on the end of a client that leaves in the middle: without this Gemini would wait for the rest.
  stream.once('close', () => {
    if (!stream.readableEnded) guard.destroy(leftEarly())
  })
  return stream.pipe(guard)
}

/** Lets a body through up to a number of bytes, and as long as the client does not pause too long. */
function bounded({ maxBodyBytes, bodyIdleMs }: PassedCall, sweep: (bytes: number) => void): Transform {
  let seen = 0
  const idle = setTimeout(() => {
    // Full buffers mean that it is Gemini who is slow.
    if (guard.writableLength > 0 || guard.readableLength > 0) idle.refresh()
    else guard.destroy(new GatewayError('CASTOR_BODY_TIMEOUT', 'The request body stopped arriving.'))
  }, bodyIdleMs)
  const guard = new Transform({
    transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback) {
      idle.refresh()
      seen += chunk.length
      sweep(chunk.length)
      if (seen <= maxBodyBytes) return done(null, chunk)
      done(bodyTooLarge(maxBodyBytes))
    },
    flush(done: TransformCallback) {
      clearTimeout(idle)
      done()
    },
    destroy(error, done) {
      clearTimeout(idle)
      done(error)
    },
  })
  return guard
}

function leftEarly(): GatewayError {
  return new GatewayError('CASTOR_BODY_INCOMPLETE', 'The connection ended before the whole request body had arrived.')
}

/** @param limit bytes */
export function bodyTooLarge(limit: number): GatewayError {
  return new GatewayError(
    'CASTOR_BODY_TOO_LARGE',
    `The request body is larger than the ${limit} bytes that this gateway passes on.`,
  )
}
