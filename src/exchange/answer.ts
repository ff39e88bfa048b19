import type { ServerResponse } from 'node:http'
import { errorShape, type GatewayError, renderError, streamErrorTail } from '../gemini/errors.ts'
import { passesToClient } from '../gemini/headers.ts'
import { type AnswerSource, type Exchange, type TapDropped, tapChunk, tapEnd, tapHead } from './exchange.ts'

/**
 * Time between the raw error tail of a broken stream and the end of its socket. Shorter, and clients lose the typed error; a clean
 * end instead, and every SDK takes the truncated answer for a whole one.
 */
export const tailGraceMs = 700

/** Official clients know the tail as an error only when it is a read of its own, apart from the event before it. */
export const tailPauseMs = 40

/**
 * The way back to one client: the bytes go to the client first, then to the taps. Made for the hot path: an object with methods,
 * no stream in between.
 */
export class Answer {
  readonly #exchange: Exchange
  readonly #response: ServerResponse
  readonly #dropped: TapDropped
  #flushed = false
  #encoding = 'identity'
  #lengthKnown = false
  #streaming = false
  #lastBytes: Buffer | null = null
  #deserted = false

  /** @param response the raw response of a hijacked reply */
  constructor(exchange: Exchange, response: ServerResponse, dropped: TapDropped) {
    this.#exchange = exchange
    this.#response = response
    this.#dropped = dropped
  }

  /** Whether bytes of an answer are on their way: from here on nobody else may answer. */
  get begun(): boolean {
    return this.#response.headersSent
  }

  /**
   * Sends the head. Names keep their case and order, repeated headers stay repeated.
   * @param headers the upstream's flat list; what must not reach a client is left out here
   * @param added flat list of our own headers
   */
  head(
    statusCode: number,
    statusMessage: string,
    headers: readonly string[],
    added: readonly string[],
    source: AnswerSource,
  ): void {
    const exchange = this.#exchange
    const key = exchange.caller.upstreamKey
    const out: string[] = []
    for (let index = 0; index < headers.length; index += 2) {
      const name = headers[index] as string
      if (!passesToClient(name)) continue
      const value = headers[index + 1] as string
      // An echo of a key that is the gateway's and not the client's.
      if (key !== null && value.length >= key.length && value.includes(key)) continue
      out.push(name, value)
      this.#note(name, value)
    }
    for (const field of added) out.push(field)
    exchange.annotate?.(statusCode, out)
    // nginx buffers what it takes for a page; this is its own switch for one answer.
    if (this.#streaming || exchange.target.framing === 'array') out.push('x-accel-buffering', 'no')
    exchange.statusCode = statusCode
    exchange.source = source
    exchange.answeredAt = performance.now()
    if (!this.#deserted) this.#response.writeHead(statusCode, statusMessage, out)
    // A body that came with the head leaves in one packet with it; a head alone leaves as soon as this turn of the parser is over.
    process.nextTick(flushHead, this)
    tapHead(exchange, { statusCode, headers, source }, this.#dropped)
  }

  /** Remembers what decides how a broken answer may end. The lengths spare most headers the lower-casing. */
  #note(name: string, value: string): void {
    if (name.length === 12 && name.toLowerCase() === 'content-type')
      this.#streaming = value.startsWith('text/event-stream')
    else if (name.length === 14 && name.toLowerCase() === 'content-length') this.#lengthKnown = true
    else if (name.length === 16 && name.toLowerCase() === 'content-encoding') this.#encoding = value
  }

  /** @internal */
  flush(): void {
    if (this.#flushed || this.#deserted || this.#response.writableEnded) return
    this.#flushed = true
    this.#response.flushHeaders()
  }

  /** Sends bytes on. Returns false when the client is slower than the upstream: wait for `drain` before sending more. */
  write(bytes: Buffer): boolean {
    this.#flushed = true
    // Kept only where `storedBlock` will look at them. Held for every answer, they made whole exchanges outlive young collections, which
    // cost more than anything else of ours (bench/README.md).
    if (this.#encoding !== 'identity') this.#lastBytes = bytes
    const room = this.#deserted || this.#response.write(bytes)
    tapChunk(this.#exchange, bytes, this.#dropped)
    return room
  }

  end(): void {
    if (!this.#deserted) this.#response.end()
    tapEnd(this.#exchange, this.#deserted ? 'client_abort' : 'complete', true, this.#dropped)
  }

  /** Sends a whole answer from memory: head and body leave in one write. */
  whole(headers: string[], body: Buffer, source: AnswerSource): void {
    const exchange = this.#exchange
    exchange.statusCode = 200
    exchange.source = source
    exchange.answeredAt = performance.now()
    this.#response.writeHead(200, headers)
    this.#response.end(body)
    tapHead(exchange, { statusCode: 200, headers, source }, this.#dropped)
    tapChunk(exchange, body, this.#dropped)
    tapEnd(exchange, 'complete', true, this.#dropped)
  }

  /** Nobody wants the answer any more, and the call is cancelled. */
  abandon(): void {
    tapEnd(this.#exchange, 'client_abort', false, this.#dropped)
  }

  /** The client has left, but the answer is still wanted: from here on it goes to the taps alone. */
  desert(): void {
    this.#deserted = true
  }

  /** Answers with an error of ours, before anything was sent. */
  refuse(error: GatewayError): void {
    const exchange = this.#exchange
    const rendered = renderError(error, errorShape(exchange.target))
    exchange.failure = error.reason
    exchange.source = 'gateway'
    exchange.statusCode = rendered.statusCode
    exchange.answeredAt = performance.now()
    if (!this.#deserted) {
      this.#response.writeHead(rendered.statusCode, {
        ...rendered.headers,
        'content-length': Buffer.byteLength(rendered.body),
        'x-castor-request-id': exchange.id,
      })
      this.#response.end(rendered.body)
    }
    tapEnd(exchange, 'failed', false, this.#dropped)
  }

  /**
   * Ends an answer that broke after its head. A stream gets Google's own raw error tail, then its socket is destroyed; anything else
   * is cut at once, so that no client takes half an answer for a whole one.
   */
  breakOff(error: GatewayError): void {
    const response = this.#response
    this.#exchange.failure = error.reason
    const tail = this.#deserted ? null : this.#tail(error)
    if (tail === null) cut(response)
    else {
      setTimeout(() => {
        // The client may have left by then, and Node throws at whoever writes to nobody.
        if (!response.destroyed) response.write(tail)
      }, tailPauseMs).unref()
      setTimeout(() => cut(response), tailPauseMs + tailGraceMs).unref()
    }
    tapEnd(this.#exchange, 'upstream_broken', false, this.#dropped)
  }

  #tail(error: GatewayError): Buffer | null {
    if (!this.#streaming || this.#lengthKnown || this.#exchange.statusCode !== 200) return null
    const text = streamErrorTail(error)
    if (this.#encoding === 'identity') return text
    return this.#encoding === 'gzip' || this.#encoding === 'deflate' ? storedBlock(text, this.#lastBytes) : null
  }
}

/** Ends a connection so that the client cannot take what it has for the whole answer. */
function cut(response: ServerResponse): void {
  const { socket } = response
  // Without chunks and length, as HTTP/1.0 has it (nginx speaks it by default), the end of the connection is the end of the answer. TLS
  // tells the two apart by itself.
  if (socket !== null && !response.chunkedEncoding && !('encrypted' in socket)) socket.resetAndDestroy()
  else response.destroy()
}

function flushHead(answer: Answer): void {
  answer.flush()
}

/**
 * Text inside a deflate stream that we did not compress. Google flushes each event with Z_SYNC_FLUSH, whose last bytes are
 * 00 00 ff ff: there the stream is byte-aligned and a stored block (RFC 1951 §3.2.4) may follow. Anywhere else nothing can be
 * added, and null is returned.
 */
function storedBlock(text: Buffer, last: Buffer | null): Buffer | null {
  if (last === null || last.length < 4 || last.readUInt32BE(last.length - 4) !== 0x0000ffff) return null
  const head = Buffer.alloc(5)
  head.writeUInt16LE(text.length, 1)
  head.writeUInt16LE(~text.length & 0xffff, 3)
  return Buffer.concat([head, text])
}
