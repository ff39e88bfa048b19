import { createInteractionsReader } from './answer/interactions.ts'
import { createLiveReader } from './answer/live.ts'
import { createNativeReader } from './answer/native.ts'
import { createOpenaiReader } from './answer/openai.ts'
import type { Reader, WireError } from './answer/tally.ts'
import { createDecoder, type DecodeFault, isIdentity } from './decode.ts'
import { type Finish, settleFinish } from './finish.ts'
import { createSplitter } from './framing.ts'
import { skipSpace } from './scan.ts'
import { sseData } from './sse.ts'
import { usageTail } from './tail.ts'
import type { Dialect, Framing } from './target.ts'
import type { Usage } from './usage.ts'

export type { WireError } from './answer/tally.ts'

/** Why an answer could not be read whole. */
export type Unreadable = 'oversized' | 'encoding' | 'malformed'

/** What was seen of one answer. */
export type Observation = {
  usage: Usage
  finish: Finish
  /** An error found in the body, wherever it stood: unary, as an event, or Google's raw JSON after complete events. */
  errorTail?: WireError
  /** Events of the stream that carried JSON; 1 for a unary body. */
  events: number
  /** Bytes as given to `chunk`, so before any decoding. */
  bytes: number
  /** Index of the first event with something to show, thoughts included; absent when none had. */
  firstContentAt?: number
  /** `finish.complete`, and the answer ended properly, without an error, and was read whole. Only these may be stored. */
  complete: boolean
  readable: boolean
  unreadable?: Unreadable
}

/**
 * Reads a copy of one answer. `chunk` and `end` never throw and never wait; a chunk must not be changed afterwards
 * (the observer may hold a reference until the answer ends).
 */
export type Observer = {
  chunk(bytes: Buffer): void
  /** `clean`: the transport ended properly. Call exactly once; later calls are ignored. */
  end(clean: boolean): void
}

export type ObserverOptions = {
  dialect: Dialect | 'live'
  /** `frames`: each chunk is one whole JSON message (websocket). */
  framing: Framing | 'frames'
  /** The answer's content-encoding; absent, empty or `identity` for plain bytes. */
  contentEncoding?: string | undefined
  /** Bound of what is kept of one event or unary body, in bytes; default 4 MiB. */
  maxBytes?: number
  /** Bound of what one answer may inflate to, in bytes; default 256 MiB. */
  maxDecodedBytes?: number
}

const MAX_BYTES = 4 * 1024 * 1024
const MAX_DECODED_BYTES = 256 * 1024 * 1024

const readers: Record<ObserverOptions['dialect'], () => Reader> = {
  native: createNativeReader,
  openai: createOpenaiReader,
  interactions: createInteractionsReader,
  live: createLiveReader,
}

/**
 * An observer of one answer. `onDone` is called exactly once after `end`: at once for plain bytes, otherwise when the
 * decoder has finished.
 */
export function createObserver(options: ObserverOptions, onDone: (observation: Observation) => void): Observer {
  const { dialect, framing, contentEncoding } = options
  const reader = readers[dialect]()
  const { tally } = reader
  let bytes = 0
  let events = 0
  let firstContentAt: number | undefined
  let unreadable: Unreadable | undefined
  let sawDone = false
  let finished = false

  function read(document: Buffer, oversized: boolean): void {
    const whole = framing === 'unary'
    if (oversized) {
      unreadable ??= 'oversized'
      const tail = usageTail(document)
      if (tail !== undefined) reader.read(tail, whole)
    } else if (!reader.read(document, whole)) {
      unreadable ??= 'malformed'
    }
    if (tally.shown) firstContentAt ??= events
    events += 1
  }

  function readEvent(event: Buffer, oversized: boolean): void {
    const data = oversized ? event : sseData(event)
    if (data === undefined) readRaw(event)
    else if (isDoneMark(data)) sawDone = true
    else read(data, oversized)
  }

  /** What stands in a stream without being an event: Google's error after a failure, a comment, half an event. */
  function readRaw(rest: Buffer): void {
    const start = skipSpace(rest, 0)
    if (rest[start] === 0x7b || rest[start] === 0x5b) reader.read(rest, events === 0)
  }

  const splitter = createSplitter(framing, options.maxBytes ?? MAX_BYTES, framing === 'sse' ? readEvent : read)

  function done(clean: boolean, fault?: DecodeFault): void {
    const rest = splitter.end()
    if (!rest.ended && !rest.oversized) {
      const data = framing === 'sse' ? sseData(rest.bytes) : undefined
      if (data === undefined) readRaw(rest.bytes)
      // Half an event is no fault of the reader's: what can be read of it is read, and the answer is incomplete.
      else if (reader.read(data, false)) events += 1
    }
    if (fault === 'encoding' || fault === 'oversized') unreadable ??= fault
    const finish = settleFinish(tally.finish)
    const usage = tally.usage.settle({ hasContent: finish.hasContent, groundingQueries: tally.queries?.size })
    if (tally.serviceTier !== undefined) usage.serviceTier ??= tally.serviceTier
    // The OpenAI and Interactions streams close with a mark of their own; the native ones just end.
    const closed = rest.ended && (framing !== 'sse' || dialect === 'native' || sawDone)
    const observation: Observation = {
      usage,
      finish,
      events,
      bytes,
      complete: finish.complete && clean && closed && fault === undefined && !unreadable && tally.error === undefined,
      readable: unreadable === undefined,
    }
    if (tally.error !== undefined) observation.errorTail = tally.error
    if (firstContentAt !== undefined) observation.firstContentAt = firstContentAt
    if (unreadable !== undefined) observation.unreadable = unreadable
    onDone(observation)
  }

  let clean = false
  const decoder = isIdentity(contentEncoding)
    ? undefined
    : createDecoder(
        contentEncoding ?? '',
        options.maxDecodedBytes ?? MAX_DECODED_BYTES,
        (decoded) => splitter.push(decoded),
        (fault) => done(clean, fault),
      )

  return {
    chunk(piece) {
      if (finished) return
      bytes += piece.length
      if (decoder === undefined) splitter.push(piece)
      else decoder.write(piece)
    },
    end(ended) {
      if (finished) return
      finished = true
      clean = ended
      if (decoder === undefined) done(ended)
      else decoder.end()
    },
  }
}

function isDoneMark(data: Buffer): boolean {
  return data.length === 6 && data.toString('latin1', 0, 6) === '[DONE]'
}
