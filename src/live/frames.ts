// The messages of one direction of a websocket, read from a copy of its bytes (RFC 6455 §5).

export interface FrameReader {
  /** Bytes as they pass, cut anywhere. They are not kept beyond the message they belong to, nor changed. */
  push(bytes: Buffer): void
}

const continuation = 0
const firstControl = 8

/**
 * Calls back with each whole text or binary message of at most `maxBytes`; longer ones, compressed ones (RSV1) and control frames are passed
 * over. Never throws: what is no websocket traffic gives no messages.
 */
export function createFrameReader(maxBytes: number, onMessage: (message: Buffer) => void): FrameReader {
  const head = Buffer.alloc(14)
  let headBytes = 0
  let mask: Buffer | null = null
  let left = 0
  let taken = 0
  let isControl = false
  let isFinal = false
  let inPayload = false
  // Of the message under way, over all its frames.
  let pieces: Buffer[] = []
  let size = 0
  let isSkipped = false

  function push(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      if (!inPayload) {
        at = readHead(bytes, at)
        continue
      }
      const end = Math.min(bytes.length, at + left)
      if (!isControl) keep(bytes.subarray(at, end))
      taken += end - at
      left -= end - at
      at = end
      if (left === 0) endFrame()
    }
  }

  /** Gathers a head, which may come in pieces; returns where its bytes end. */
  function readHead(bytes: Buffer, from: number): number {
    let at = from
    while (at < bytes.length && (headBytes < 2 || headBytes < headLength(head))) {
      head[headBytes] = bytes[at] as number
      headBytes += 1
      at += 1
    }
    if (headBytes >= 2 && headBytes === headLength(head)) beginFrame()
    return at
  }

  function beginFrame(): void {
    const first = head[0] as number
    const second = head[1] as number
    const opcode = first & 0x0f
    const length = second & 0x7f
    isFinal = (first & 0x80) !== 0
    isControl = opcode >= firstControl
    left = length < 126 ? length : length === 126 ? head.readUInt16BE(2) : Number(head.readBigUInt64BE(2))
    mask = (second & 0x80) === 0 ? null : Buffer.from(head.subarray(headBytes - 4, headBytes))
    headBytes = 0
    taken = 0
    inPayload = true
    if (!isControl && opcode !== continuation) {
      pieces = []
      size = 0
      isSkipped = (first & 0x40) !== 0
    }
    if (left === 0) endFrame()
  }

  function keep(piece: Buffer): void {
    size += piece.length
    if (size > maxBytes) {
      isSkipped = true
      pieces = []
    }
    if (!isSkipped) pieces.push(mask === null ? piece : unmasked(piece, mask, taken))
  }

  function endFrame(): void {
    inPayload = false
    if (isControl || !isFinal) return
    const message = isSkipped || size === 0 ? null : pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)
    pieces = []
    size = 0
    isSkipped = false
    if (message !== null) onMessage(message)
  }

  return { push }
}

/** Bytes of a frame's head, once its first two are known (§5.2). */
function headLength(head: Buffer): number {
  const second = head[1] as number
  const length = second & 0x7f
  return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4)
}

/** §5.3; a copy, since the bytes themselves go on to Gemini. */
function unmasked(piece: Buffer, mask: Buffer, offset: number): Buffer {
  const plain = Buffer.allocUnsafe(piece.length)
  for (let index = 0; index < piece.length; index += 1)
    plain[index] = (piece[index] as number) ^ (mask[(offset + index) & 3] as number)
  return plain
}
