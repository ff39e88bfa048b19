import { createGather, type OnDocument, type Splitter } from './gather.ts'
import { skipSpace, skipString } from './scan.ts'

/**
 * Cuts a JSON array that arrives in pieces into its elements: what streamGenerateContent sends without `alt=sse`
 * (`[{…}\n,\r\n{…}\n]`). An object that stands alone instead of the array (an error before the stream began) counts
 * as its only element. At most `maxBytes` of one element are kept. What stands between elements is not checked.
 */
export function createArraySplitter(maxBytes: number, onElement: OnDocument): Splitter {
  const gather = createGather(maxBytes)
  /** Open brackets inside the current element; 0 between elements. */
  let depth = 0
  let opened = false
  let closed = false
  let inString = false
  /** The chunk ended on a backslash inside a string: the next byte is no quote. */
  let escaped = false

  /** Past the string that goes on at `at`, or the chunk's length when it does not end here. */
  function crossString(chunk: Buffer, at: number): number {
    let from = at
    if (escaped && from < chunk.length) {
      escaped = false
      from += 1
    }
    const end = skipString(chunk, from - 1)
    if (end !== -1) {
      inString = false
      return end
    }
    let slash = chunk.length
    while (slash > from && chunk[slash - 1] === 0x5c) slash -= 1
    escaped = (chunk.length - slash) % 2 === 1
    return chunk.length
  }

  function emit(chunk: Buffer, start: number, end: number): void {
    const piece = chunk.subarray(start, end)
    if (gather.size() === 0) {
      onElement(piece, false)
      return
    }
    gather.push(piece)
    const { bytes, oversized } = gather.take()
    onElement(bytes, oversized)
  }

  return {
    push(chunk) {
      let start = 0
      let at = 0
      while (at < chunk.length) {
        if (inString) {
          at = crossString(chunk, at)
          continue
        }
        const byte = chunk[at] as number
        at += 1
        if (byte === 0x22) inString = depth > 0
        else if (byte === 0x7b || byte === 0x5b) {
          if (depth === 0 && byte === 0x5b && !opened) opened = true
          else {
            if (depth === 0) start = at - 1
            depth += 1
          }
        } else if (byte === 0x7d || byte === 0x5d) {
          if (depth === 0) closed = true
          else {
            depth -= 1
            if (depth === 0) {
              emit(chunk, start, at)
              if (!opened) closed = true
              start = at
            }
          }
        }
      }
      if (depth > 0) gather.push(chunk.subarray(start))
    },
    end() {
      const { bytes, oversized } = gather.take()
      return { bytes, oversized, ended: closed && skipSpace(bytes, 0) === bytes.length }
    },
  }
}
