import fc from 'fast-check'
import { createObserver, type Observation, type ObserverOptions } from '../src/gemini/observe.ts'

/** What an observer says of an answer that arrives in these pieces. */
export function observe(options: ObserverOptions, pieces: Iterable<Buffer>, clean = true): Promise<Observation> {
  return new Promise((resolve) => {
    const observer = createObserver(options, resolve)
    for (const piece of pieces) observer.chunk(piece)
    observer.end(clean)
  })
}

/** The bytes cut at these positions (any order, any number, out of range ones ignored). */
export function cut(bytes: Buffer, positions: Iterable<number>): Buffer[] {
  const at = [...new Set(positions)].filter((position) => position > 0 && position < bytes.length)
  const edges = [0, ...at.sort((one, other) => one - other), bytes.length]
  return edges.slice(1).map((end, index) => bytes.subarray(edges[index], end))
}

/** Server-sent events as Gemini writes them. */
export function sse(documents: unknown[]): Buffer {
  return Buffer.from(documents.map((document) => `data: ${JSON.stringify(document)}\r\n\r\n`).join(''))
}

/** A JSON array as Gemini writes it without `alt=sse`. */
export function array(documents: unknown[]): Buffer {
  return Buffer.from(`[${documents.map((document) => JSON.stringify(document, undefined, 2)).join('\n,\r\n')}\n]`)
}

/** One piece of a native answer. */
export function chunk(text: string, usageMetadata: Record<string, unknown>, finishReason?: unknown): unknown {
  return {
    candidates: [
      { content: { parts: [{ text }], role: 'model' }, ...(finishReason ? { finishReason } : {}), index: 0 },
    ],
    usageMetadata,
    modelVersion: 'gemini-3.6-flash',
    responseId: 'r1',
  }
}

/**
 * Strings without backslashes. Node 24's JSON.parse, the oracle of several properties, can mistake an escaped key for
 * another one once a key with a backslash was parsed (nodejs/node#63785).
 */
const unit = fc.constantFrom(...'abcxyz019"{}[]:, é東\n\u2028')

export const keys = fc.string({ unit, maxLength: 4 })

export const jsonValues = fc.jsonValue({ stringUnit: unit, maxDepth: 3 })
