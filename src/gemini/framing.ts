import { createArraySplitter } from './array.ts'
import { createGather, type OnDocument, type Splitter } from './gather.ts'
import { createSseSplitter } from './sse.ts'
import type { Framing } from './target.ts'

const NOTHING = Buffer.alloc(0)

/**
 * The splitter for a framing. `unary`: the body is one document, handed on by `end`. `frames`: each chunk is one.
 * At most `maxBytes` of a document are kept (a frame is not kept at all).
 */
export function createSplitter(framing: Framing | 'frames', maxBytes: number, onDocument: OnDocument): Splitter {
  switch (framing) {
    case 'sse':
      return createSseSplitter(maxBytes, onDocument)
    case 'array':
      return createArraySplitter(maxBytes, onDocument)
    case 'unary':
      return createWhole(maxBytes, onDocument)
    case 'frames':
      return {
        push: (frame) => onDocument(frame, false),
        end: () => ({ bytes: NOTHING, oversized: false, ended: true }),
      }
  }
}

function createWhole(maxBytes: number, onDocument: OnDocument): Splitter {
  const gather = createGather(maxBytes)
  return {
    push: gather.push,
    end() {
      const came = gather.size() > 0
      const { bytes, oversized } = gather.take()
      if (came) onDocument(bytes, oversized)
      return { bytes: NOTHING, oversized: false, ended: came }
    },
  }
}
