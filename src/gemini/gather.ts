/** The bytes of one document, or only its last part when it outgrew the bound. */
export type Gathered = { bytes: Buffer; oversized: boolean }

/** Called with the bytes of one document; `oversized` when they are only its last part. */
export type OnDocument = (bytes: Buffer, oversized: boolean) => void

/** Cuts what arrives into documents, whatever chunks it comes in. */
export type Splitter = {
  push(chunk: Buffer): void
  /** What came after the last complete document, and whether the framing itself came to its end. */
  end(): Gathered & { ended: boolean }
}

/** Collects the pieces of one document, up to a bound. */
export type Gather = {
  /** Bytes seen since the last `take`, kept or not. */
  size(): number
  push(piece: Buffer): void
  /** What was collected, whole where it fits; starts afresh. One piece comes back as it is, without a copy. */
  take(): Gathered
}

/** Of a document that is too large its end is kept: Gemini writes the usage there. */
const TAIL_BYTES = 64 * 1024

/** Small pieces are joined in lots of this many, so that a document that drips in costs no object per byte. */
const LOT = 1024

/**
 * A collector that holds at most `maxBytes` of a document; past that it drops the beginning and remembers only the
 * last 64 KiB (or `maxBytes`, when that is less).
 */
export function createGather(maxBytes: number): Gather {
  const tailBytes = Math.min(TAIL_BYTES, maxBytes)
  let pieces: Buffer[] = []
  let kept = 0
  let length = 0
  let oversized = false
  /** How many pieces at the end of `pieces` were not joined into a lot yet. */
  let loose = 0

  function shrink(): void {
    oversized = true
    // Copied, so that the large piece it is cut from can go.
    const tail = Buffer.from(join().subarray(-tailBytes))
    pieces = [tail]
    kept = tail.length
    loose = 0
  }

  function join(): Buffer {
    return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, kept)
  }

  return {
    size: () => length,
    push(piece) {
      if (piece.length === 0) return
      length += piece.length
      pieces.push(piece)
      kept += piece.length
      loose += 1
      if (loose === LOT) {
        pieces.push(Buffer.concat(pieces.splice(-LOT)))
        loose = 0
      }
      // Once oversized, several pieces may pile up before the tail is cut anew: linear work, bounded memory.
      if (length > maxBytes && kept > (oversized ? 2 * tailBytes : maxBytes)) shrink()
    },
    take() {
      if (oversized && kept > tailBytes) shrink()
      const gathered = { bytes: join(), oversized }
      pieces = []
      kept = 0
      length = 0
      loose = 0
      oversized = false
      return gathered
    },
  }
}
