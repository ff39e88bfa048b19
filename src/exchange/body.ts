import type { IncomingMessage } from 'node:http'
import { GatewayError } from '../gemini/errors.ts'

/** Bytes of request bodies that the gateway may hold at one moment. */
export interface ByteBudget {
  /** Reserves bytes; false when they would exceed the budget. */
  take(bytes: number): boolean
  give(bytes: number): void
}

/**
 * @param load where the bytes held are kept
 * @param limit function, since a reload may change the setting
 */
export function createByteBudget(load: { heldBodyBytes: number }, limit: () => number): ByteBudget {
  return {
    take(bytes) {
      if (load.heldBodyBytes + bytes > limit()) return false
      load.heldBodyBytes += bytes
      return true
    },
    give(bytes) {
      load.heldBodyBytes -= bytes
    },
  }
}

export interface BodyLimits {
  bodyBytes: number
  idleMs: number
}

/** A body in memory with the reservation it stands on. */
export type BodyRead = (error: GatewayError | null, body: Buffer, reservedBytes: number) => void

/**
 * Reads a whole request body. Its bytes are reserved as they come; a body over the limit, over the budget, or that stops
 * arriving is refused without being read to its end.
 * @param done called once; `reservedBytes` are the caller's to give back when the body is no longer held
 */
export function readBody(request: IncomingMessage, limits: BodyLimits, budget: ByteBudget, done: BodyRead): void {
  const announced = request.headers['content-length']
  const length = announced === undefined ? null : Number(announced)
  if (length !== null && length > limits.bodyBytes) return done(tooLarge(limits.bodyBytes), empty, 0)
  // What could not be held is not begun. But only what has come is held: a length costs whoever announces it nothing.
  const announcedBytes = length ?? 0
  if (!budget.take(announcedBytes)) return done(overloaded(), empty, 0)
  budget.give(announcedBytes)
  let reserved = 0
  let first: Buffer | null = null
  let chunks: Buffer[] | null = null
  let received = 0
  const timer = setTimeout(onIdle, limits.idleMs)

  function finish(error: GatewayError | null, body: Buffer): void {
    clearTimeout(timer)
    request.off('data', onData).off('end', onEnd).off('close', onClose)
    if (error === null) return done(null, body, reserved)
    budget.give(reserved)
    // What is still on its way is not wanted; the answer closes the connection.
    request.resume()
    done(error, empty, 0)
  }

  function onData(bytes: Buffer): void {
    received += bytes.length
    if (received > limits.bodyBytes) return finish(tooLarge(limits.bodyBytes), empty)
    if (received > reserved) {
      if (!budget.take(received - reserved)) return finish(overloaded(), empty)
      reserved = received
    }
    timer.refresh()
    if (first === null) first = bytes
    else if (chunks === null) chunks = [first, bytes]
    else chunks.push(bytes)
  }

  function onIdle(): void {
    finish(new GatewayError('CASTOR_BODY_TIMEOUT', 'The request body stopped arriving.'), empty)
  }

  function onEnd(): void {
    finish(null, chunks === null ? (first ?? empty) : Buffer.concat(chunks, received))
  }

  function onClose(): void {
    finish(
      new GatewayError('CASTOR_BODY_INCOMPLETE', 'The connection ended before the whole request body had arrived.'),
      empty,
    )
  }

  request.on('data', onData).on('end', onEnd).on('close', onClose)
}

const empty = Buffer.alloc(0)

function tooLarge(bytes: number): GatewayError {
  return new GatewayError(
    'CASTOR_BODY_TOO_LARGE',
    `The request body is larger than the ${bytes} bytes that this gateway accepts for a model call. Upload large media with the Files API.`,
  )
}

function overloaded(): GatewayError {
  return new GatewayError(
    'CASTOR_OVERLOADED',
    'The gateway holds as many request bodies as it may. Please retry in 1s.',
    {
      retryAfterSeconds: 1,
    },
  )
}
