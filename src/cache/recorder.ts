/**
 * A tap that keeps what goes to the client, for the cache: the bytes, and where and when each chunk ended. It gives up
 * when the answer outgrows its bound, and then holds nothing.
 */

export type Recording = {
  body: Buffer
  /** See Entry.chunks. */
  chunks: Uint32Array | undefined
  /** To the last byte. */
  latencyMs: number
}

/** More boundaries than this add nothing to a paced replay. */
const MAX_CHUNKS = 16_384

/**
 * @param options.maxBytes the largest body worth keeping
 * @param options.now a monotonic clock in ms
 */
export function createRecorder(options: { maxBytes: number; now: () => number }) {
  const began = options.now()
  let firstAt = 0
  let pieces: Uint8Array[] = []
  const marks: number[] = []
  let bytes = 0
  let overflowed = false

  function chunk(piece: Uint8Array): void {
    if (overflowed || piece.length === 0) return
    bytes += piece.length
    if (bytes > options.maxBytes) {
      overflowed = true
      pieces = []
      marks.length = 0
      return
    }
    const at = options.now()
    if (pieces.length === 0) firstAt = at
    pieces.push(piece)
    if (marks.length / 2 >= MAX_CHUNKS) marks.length -= 2
    marks.push(bytes, Math.max(0, Math.round(at - firstAt)))
  }

  /** What was recorded, in one buffer of its own; undefined if it grew too large. */
  function finish(): Recording | undefined {
    if (overflowed) return undefined
    // Not from Node's pool: a small body would keep eight kilobytes alive for as long as it is cached.
    const body = Buffer.allocUnsafeSlow(bytes)
    let at = 0
    for (const piece of pieces) {
      body.set(piece, at)
      at += piece.length
    }
    const chunks = marks.length > 2 ? Uint32Array.from(marks) : undefined
    pieces = []
    return { body, chunks, latencyMs: options.now() - began }
  }

  return { chunk, finish, overflowed: () => overflowed }
}
