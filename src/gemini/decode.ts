import type { Transform } from 'node:stream'
import zlib from 'node:zlib'

/** Why decoding stopped early. `truncated`: the encoded body broke off, all that could be read was handed on. */
export type DecodeFault = 'truncated' | 'encoding' | 'oversized'

/** Undoes a content-encoding on a copy of an answer. */
export type Decoder = {
  write(chunk: Buffer): void
  /** No more chunks. `onEnd` is called exactly once, at once or after a few turns of the event loop. */
  end(): void
}

type Codec = { stream: () => Transform; whole: (bytes: Buffer, maxBytes: number) => Buffer }

/** Bodies up to this size that arrive in one piece are inflated on the spot: less work than a stream of zlib. */
const AT_ONCE_BYTES = 64 * 1024

/** What is inflated on the spot at most: more would hold up everybody else. */
const AT_ONCE_INFLATED_BYTES = 1024 * 1024

/** Encoded bytes that may wait for zlib's threads. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024

const ZLIB_FLUSH = { flush: zlib.constants.Z_SYNC_FLUSH }
const BROTLI_FLUSH = { flush: zlib.constants.BROTLI_OPERATION_FLUSH }

const gzip: Codec = {
  stream: () => zlib.createGunzip(ZLIB_FLUSH),
  whole: (bytes, maxOutputLength) => zlib.gunzipSync(bytes, { maxOutputLength }),
}
const deflate: Codec = {
  stream: () => zlib.createInflate(ZLIB_FLUSH),
  whole: (bytes, maxOutputLength) => zlib.inflateSync(bytes, { maxOutputLength }),
}
const deflateRaw: Codec = {
  stream: () => zlib.createInflateRaw(ZLIB_FLUSH),
  whole: (bytes, maxOutputLength) => zlib.inflateRawSync(bytes, { maxOutputLength }),
}
const brotli: Codec = {
  stream: () => zlib.createBrotliDecompress(BROTLI_FLUSH),
  whole: (bytes, maxOutputLength) => zlib.brotliDecompressSync(bytes, { maxOutputLength }),
}
const zstd: Codec = {
  stream: () => zlib.createZstdDecompress(),
  whole: (bytes, maxOutputLength) => zlib.zstdDecompressSync(bytes, { maxOutputLength }),
}

/** Is this content-encoding no encoding at all? */
export function isIdentity(contentEncoding: string | undefined): boolean {
  const name = contentEncoding?.trim().toLowerCase()
  return name === undefined || name === '' || name === 'identity'
}

/**
 * A decoder for gzip, deflate, br or zstd that never throws: a body that cannot be read, or inflates to more than
 * `maxBytes`, ends in a fault. Any other encoding, several in a row included, is a fault from the start.
 */
export function createDecoder(
  contentEncoding: string,
  maxBytes: number,
  onData: (bytes: Buffer) => void,
  onEnd: (fault?: DecodeFault) => void,
): Decoder {
  let first: Buffer | undefined
  let stream: Transform | undefined
  let inflated = 0
  let closed = false

  function finish(fault?: DecodeFault): void {
    if (closed) return
    closed = true
    stream?.destroy()
    onEnd(fault)
  }

  function take(bytes: Buffer): void {
    if (closed) return
    inflated += bytes.length
    if (inflated > maxBytes) finish('oversized')
    else onData(bytes)
  }

  function open(head: Buffer): Transform | undefined {
    const codec = codecFor(contentEncoding, head)
    if (codec === undefined) return undefined
    const opened = codec.stream()
    opened.on('data', take)
    opened.on('end', () => finish())
    opened.on('error', (error) => finish(faultOf(error)))
    opened.on('close', () => finish('encoding'))
    return opened
  }

  function decodeAtOnce(bytes: Buffer): void {
    const codec = codecFor(contentEncoding, bytes)
    if (codec === undefined) {
      finish('encoding')
      return
    }
    try {
      take(codec.whole(bytes, AT_ONCE_INFLATED_BYTES))
      finish()
    } catch (error) {
      // A stream hands on what there is of a body that broke off, or that is longer than it seemed.
      if (faultOf(error) === 'encoding') finish('encoding')
      else decodeAsStream(bytes)
    }
  }

  function decodeAsStream(bytes: Buffer): void {
    stream = open(bytes)
    if (stream === undefined) finish('encoding')
    else stream.end(bytes)
  }

  return {
    write(chunk) {
      if (closed || chunk.length === 0) return
      if (stream !== undefined) {
        if (stream.writableLength > MAX_WAITING_BYTES) finish('oversized')
        else stream.write(chunk)
      } else if (first === undefined) {
        first = chunk
      } else {
        stream = open(first)
        if (stream === undefined) return finish('encoding')
        stream.write(first)
        stream.write(chunk)
      }
    },
    end() {
      if (closed) return
      if (stream !== undefined) stream.end()
      else if (first === undefined) finish()
      else if (first.length <= AT_ONCE_BYTES) decodeAtOnce(first)
      else decodeAsStream(first)
    },
  }
}

function codecFor(contentEncoding: string, head: Buffer): Codec | undefined {
  switch (contentEncoding.trim().toLowerCase()) {
    case 'gzip':
    case 'x-gzip':
      return gzip
    case 'deflate':
      // RFC 9110 §8.4.1.2 means zlib's format; some servers send the bare one. A zlib header names method 8.
      return ((head[0] ?? 0) & 0x0f) === 8 ? deflate : deflateRaw
    case 'br':
      return brotli
    case 'zstd':
      return zstd
    default:
      return undefined
  }
}

function faultOf(error: unknown): DecodeFault {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ERR_BUFFER_TOO_LARGE') return 'oversized'
  return code === 'Z_BUF_ERROR' ? 'truncated' : 'encoding'
}
