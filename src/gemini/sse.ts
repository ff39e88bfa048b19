import { createGather, type OnDocument, type Splitter } from './gather.ts'
import { skipSpace } from './scan.ts'

const LF = 0x0a
const CR = 0x0d

/**
 * Cuts server-sent events at blank lines: LF LF or CR LF CR LF, nothing else. Gemini writes raw U+2028 and U+0085 into
 * its JSON, so no other line ends count; a lone CR never does. Events come without their blank line and undecoded;
 * empty ones are dropped. At most `maxBytes` of one event are kept.
 */
export function createSseSplitter(maxBytes: number, onEvent: OnDocument): Splitter {
  const gather = createGather(maxBytes)
  /** The last three bytes of what came before this chunk, the latest in the lowest byte. */
  let before = 0

  const beforeAt = (back: number): number => (before >> (8 * back)) & 0xff

  /** Bytes of blank line that the LF at `at` completes (2 or 4), or 0. */
  function separator(chunk: Buffer, at: number): number {
    const last = at >= 1 ? chunk[at - 1] : beforeAt(0)
    if (last === LF) return 2
    if (last !== CR) return 0
    const second = at >= 2 ? chunk[at - 2] : beforeAt(1 - at)
    if (second !== LF) return 0
    const third = at >= 3 ? chunk[at - 3] : beforeAt(2 - at)
    return third === CR ? 4 : 0
  }

  function emit(chunk: Buffer, start: number, end: number, blank: number): void {
    if (gather.size() === 0) {
      if (end - blank > start) onEvent(chunk.subarray(start, end - blank), false)
      return
    }
    gather.push(chunk.subarray(start, end))
    const { bytes, oversized } = gather.take()
    if (bytes.length > blank) onEvent(bytes.subarray(0, bytes.length - blank), oversized)
  }

  return {
    push(chunk) {
      let start = 0
      for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) {
        const blank = separator(chunk, at)
        if (blank === 0) continue
        emit(chunk, start, at + 1, blank)
        start = at + 1
      }
      if (start < chunk.length) gather.push(start === 0 ? chunk : chunk.subarray(start))
      for (let at = Math.max(0, chunk.length - 3); at < chunk.length; at += 1) {
        before = ((before << 8) | (chunk[at] as number)) & 0xffffff
      }
    },
    end() {
      const { bytes, oversized } = gather.take()
      return { bytes, oversized, ended: skipSpace(bytes, 0) === bytes.length }
    },
  }
}

/**
 * The payload of an event's `data` lines (one leading space of each removed, several joined by LF), or undefined when
 * it has none: a comment, or Google's raw error JSON, which is no event at all.
 */
export function sseData(event: Buffer): Buffer | undefined {
  // What generateContent sends: one line, `data: ` first.
  if (isData(event, 0) && event.indexOf(LF) === -1) return event.subarray(dataStart(event, 0))
  const lines: Buffer[] = []
  for (let start = 0; start < event.length; ) {
    const lf = event.indexOf(LF, start)
    const next = lf === -1 ? event.length : lf
    const end = next > start && event[next - 1] === CR ? next - 1 : next
    if (isData(event, start)) {
      if (lines.length > 0) lines.push(Buffer.of(LF))
      lines.push(event.subarray(Math.min(dataStart(event, start), end), end))
    }
    start = next + 1
  }
  if (lines.length === 0) return undefined
  return lines.length === 1 ? lines[0] : Buffer.concat(lines)
}

function isData(event: Buffer, at: number): boolean {
  return (
    event[at] === 0x64 &&
    event[at + 1] === 0x61 &&
    event[at + 2] === 0x74 &&
    event[at + 3] === 0x61 &&
    event[at + 4] === 0x3a
  )
}

function dataStart(event: Buffer, at: number): number {
  return event[at + 5] === 0x20 ? at + 6 : at + 5
}
