/** Puts a reply on the socket: pacing, compression, and the faults that break it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { GeminiError } from './errors.ts'
import type { Fault } from './faults.ts'
import { namedError } from './named-errors.ts'
import type { RecordedCall } from './options.ts'
import { errorReply, type Frame, type Reply } from './reply.ts'
import type { Route } from './route.ts'
import { gzipSink, offersGzip, plainSink, type Sink, sleep } from './sink.ts'

export interface Pace {
  firstByteMs: number
  /** 0: no limit. */
  tokensPerSecond: number
  gzip: boolean
}

/** One answer on its way out. */
export interface Delivery {
  request: IncomingMessage
  response: ServerResponse
  route: Route | undefined
  reply: Reply
  faults: Fault[]
  pace: Pace
  record: RecordedCall
  /** Called before the emulator itself breaks the connection. */
  onBreak: () => void
}

/** Bytes written just before a cut need a moment to leave. */
const breathMs = 20

/** Sends all of the reply, or what the faults leave of it. Resolves when nothing more will be written. */
export async function send(delivery: Delivery): Promise<void> {
  const { response, faults, pace, record } = delivery
  const startedAt = performance.now()
  const gone = new Promise<void>((resolve) => void response.once('close', resolve))
  const delay = fault(faults, 'delay')?.ms ?? 0
  const dueMs = (tokens: number) =>
    pace.firstByteMs + (pace.tokensPerSecond > 0 ? (tokens / pace.tokensPerSecond) * 1000 : 0) + delay
  const held = fault(faults, 'firstEvent')
  let reply = delivery.reply
  // a stream's headers come with its first event, and a unary answer's once it is whole
  let wait = reply.paced && !held ? dueMs(reply.frames[0]?.tokens ?? 0) : delay
  const limit = deadlineMs(delivery.request)
  if (limit !== undefined && wait > limit) {
    wait = limit
    reply = errorReply(new GeminiError(namedError('deadline', record.model ?? '')), delivery.route)
  }
  if (wait > 0) await sleep(wait, gone)
  if (response.destroyed || broken(delivery)) return

  const sink = head(delivery, reply, startedAt)
  if (held) {
    response.flushHeaders()
    await sleep(held.ms, gone)
  }
  await body(delivery, reply, sink, gone, (tokens) => dueMs(tokens) - (performance.now() - startedAt))
}

/** Connections that end before any header. */
function broken({ faults, response, onBreak }: Delivery): boolean {
  const reset = faults.some((one) => one.kind === 'reset' && one.afterBytes === undefined)
  if (!reset && !fault(faults, 'close')) return false
  onBreak()
  if (reset) response.socket?.resetAndDestroy()
  else response.socket?.destroySoon()
  return true
}

/** Writes status and headers; returns where the body goes. */
function head({ request, response, faults, pace, record }: Delivery, reply: Reply, startedAt: number): Sink {
  const compress = fault(faults, 'gzip') !== undefined || (pace.gzip && reply.paced && offersGzip(request))
  const headers = [...reply.headers, 'Server-Timing', `gfet4t7; dur=${Math.ceil(performance.now() - startedAt) + 1}`]
  if (compress) headers.push('Content-Encoding', 'gzip')
  const wrong = isUnary(reply) ? fault(faults, 'contentLength') : undefined
  if (wrong) headers.push('Content-Length', String(Buffer.byteLength(reply.frames[0]?.bytes ?? '') + wrong.delta))
  else if (!reply.sized) headers.push('Transfer-Encoding', 'chunked')
  record.status = reply.status
  // Google's front end sends neither Connection nor Keep-Alive; HTTP/1.1 keeps the connection anyway
  response.removeHeader('connection')
  response.writeHead(reply.status, headers)
  return compress ? gzipSink(response) : plainSink(response)
}

async function body(
  delivery: Delivery,
  reply: Reply,
  sink: Sink,
  gone: Promise<void>,
  untilMs: (tokens: number) => number,
): Promise<void> {
  const { response, faults, record } = delivery
  const put = writer(delivery, sink, gone)
  let tokens = reply.frames[0]?.tokens ?? 0
  for (let index = 0; index <= reply.frames.length; index++) {
    const frame = reply.frames[index]
    const struck = faults.find((one) => 'afterEvents' in one && one.afterEvents === index)
    if (struck && (await strike(struck, delivery, reply, index, sink, put, gone))) return
    if (!frame) break
    if (index > 0) {
      tokens += frame.tokens
      const wait = reply.paced ? untilMs(tokens) : 0
      // each event its own write, as it would come
      await (wait > 0 ? sleep(wait, gone) : immediate())
      if (response.destroyed) return
    }
    if (frame.usage) record.usage = frame.usage
    const last = index === reply.frames.length - 1
    if (!(await put(last && reply.end ? frame.bytes + reply.end : frame.bytes))) return
  }
  const wrong = isUnary(reply) ? fault(faults, 'contentLength') : undefined
  if (wrong && wrong.delta > 0) {
    // more was promised than sent: only a closed connection ends such an answer
    await breath(gone)
    delivery.onBreak()
    response.socket?.destroySoon()
  } else sink.end()
}

type Put = (bytes: string | Buffer) => Promise<boolean>

/** Writes and waits for room; false when the connection is over, by a reset that was due or by the client. */
function writer({ faults, response, onBreak }: Delivery, sink: Sink, gone: Promise<void>): Put {
  let left = fault(faults, 'reset')?.afterBytes ?? Number.POSITIVE_INFINITY
  return async (bytes) => {
    const size = left === Number.POSITIVE_INFINITY ? 0 : Buffer.byteLength(bytes)
    if (size >= left) {
      await sink.write(Buffer.from(bytes).subarray(0, left))
      await breath(gone)
      onBreak()
      response.socket?.resetAndDestroy()
      return false
    }
    left -= size
    const full = sink.write(bytes)
    if (full) await Promise.race([full, gone])
    return !response.destroyed
  }
}

/** What happens after event `index`; true when the answer is over. */
async function strike(
  one: Fault,
  { response, record, onBreak }: Delivery,
  reply: Reply,
  index: number,
  sink: Sink,
  put: Put,
  gone: Promise<void>,
): Promise<boolean> {
  const frame: Frame | undefined = reply.frames[index]
  switch (one.kind) {
    case 'stall':
      response.flushHeaders()
      await (one.ms === undefined ? gone : sleep(one.ms, gone))
      return response.destroyed
    case 'truncate':
      if (reply.end && index > 0) await put(reply.end)
      sink.end()
      return true
    case 'errorTail':
      // official clients know the tail by reading it alone, as it comes from Google, where time lies between
      if (index > 0) await breath(gone)
      await put(reply.tail(namedError(one.error ?? 'overloaded', record.model ?? ''), index))
      sink.end()
      return true
    case 'cut':
    case 'halfEvent': {
      if (!frame) return false
      const bytes = Buffer.from(frame.bytes)
      await put(
        bytes.subarray(0, one.kind === 'cut' && one.where === 'utf8' ? insideCharacter(bytes) : bytes.length >> 1),
      )
      if (one.kind === 'halfEvent') sink.end()
      else {
        await breath(gone)
        onBreak()
        response.socket?.destroySoon()
      }
      return true
    }
    default:
      return false
  }
}

function fault<Kind extends Fault['kind']>(faults: Fault[], kind: Kind): Extract<Fault, { kind: Kind }> | undefined {
  return faults.find((one): one is Extract<Fault, { kind: Kind }> => one.kind === kind)
}

/** The client's own deadline, which Google honours with 504. */
function deadlineMs(request: IncomingMessage): number | undefined {
  const seconds = Number(request.headers['x-server-timeout'])
  return seconds > 0 ? seconds * 1000 : undefined
}

function isUnary(reply: Reply): boolean {
  return reply.frames.length === 1 && reply.end === undefined
}

/** A place between the bytes of a character; half of the event when it is all ASCII. */
function insideCharacter(bytes: Buffer): number {
  const found = bytes.findIndex((byte) => byte >= 0xc0)
  return found < 0 ? bytes.length >> 1 : found + 1
}

/** Lets what was written leave, and lets a reader in this very process take it: a late timer alone would not. */
async function breath(gone: Promise<void>): Promise<void> {
  await sleep(breathMs, gone)
  for (let turn = 0; turn < 4; turn++) await immediate()
}

function immediate(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
