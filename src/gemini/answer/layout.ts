import { skipString } from '../scan.ts'

/**
 * The layout of the pieces of a stream: nearly all of them are the same bytes but for one text and the digits of the
 * usage. A piece of the same layout says nothing else that is new, so it need not be walked.
 */
export type Layout = {
  /** Remembers this document; its one text stands in `[textStart, textEnd)`, quotes included, the usage after it. */
  learn(document: Buffer, textStart: number, textEnd: number, usageStart: number, usageEnd: number): void
  /** Where the usage stands in a document of the same layout (its digits are the caller's to compare), or -1. */
  usageIn(document: Buffer): number
  usageLength(): number
  /** Length of the text in a document of the same layout, as written. */
  textLength(document: Buffer): number
}

/** Longer ones are not remembered. */
const MAX_LAYOUT_BYTES = 4096

export function createLayout(): Layout {
  /** Up to the text's opening quote, included; from its closing quote on; empty while nothing is remembered. */
  let head = Buffer.alloc(0)
  let foot = Buffer.alloc(0)
  let usageStart = 0
  let usageEnd = 0

  return {
    learn(document, textStart, textEnd, start, end) {
      const footAt = textEnd - 1
      head = Buffer.alloc(0)
      if (start < textEnd || textStart + 1 + document.length - footAt > MAX_LAYOUT_BYTES) return
      head = Buffer.from(document.subarray(0, textStart + 1))
      foot = Buffer.from(document.subarray(footAt))
      usageStart = start - footAt
      usageEnd = end - footAt
    },
    usageIn(document) {
      const footAt = document.length - foot.length
      if (head.length === 0 || footAt < head.length) return -1
      const same =
        document.compare(head, 0, head.length, 0, head.length) === 0 &&
        document.compare(foot, 0, usageStart, footAt, footAt + usageStart) === 0 &&
        document.compare(foot, usageEnd, foot.length, footAt + usageEnd, document.length) === 0 &&
        skipString(document, head.length - 1) === footAt + 1
      return same ? footAt + usageStart : -1
    },
    usageLength: () => usageEnd - usageStart,
    textLength: (document) => document.length - foot.length - head.length,
  }
}
