/** Implicit caching: which beginnings of prompts a key has sent before. */
import { createHash } from 'node:crypto'
import type { JsonObject } from './json.ts'
import type { Model } from './models.ts'

/** Characters in one block; a prefix counts in whole blocks, about a thousand tokens. */
const blockSize = 4096
/** Blocks remembered over all keys; the oldest are forgotten. */
const mostBlocks = 100_000

export interface PrefixMemory {
  /** Tokens of the prompt that were seen before; 0 below the model's minimum. Remembers this prompt. */
  cachedTokens(owner: string, model: Model, body: JsonObject, promptTokens: number): number
  reset(): void
}

/** Least tokens of a cached prefix (ai.google.dev caching page, 2026-10-13); undefined: the model caches nothing by itself. */
export function leastCached(model: Model): number | undefined {
  if (model.generation >= 3) return 4096
  return model.generation >= 2.5 ? 2048 : undefined
}

/** An empty memory. */
export function createPrefixMemory(): PrefixMemory {
  const seen = new Set<string>()
  return {
    cachedTokens(owner, model, body, promptTokens) {
      const least = leastCached(model)
      if (least === undefined || promptTokens < least) return 0
      const text = JSON.stringify([body.systemInstruction, body.tools, body.contents])
      const blocks = Math.floor(text.length / blockSize)
      let digest = `${owner}\n${model.resolved}`
      let known = 0
      for (let block = 0; block < blocks; block++) {
        digest = createHash('sha1')
          .update(digest)
          .update(text.slice(block * blockSize, (block + 1) * blockSize))
          .digest('base64')
        if (known === block && seen.has(digest)) known++
        seen.add(digest)
      }
      for (const oldest of seen) {
        if (seen.size <= mostBlocks) break
        seen.delete(oldest)
      }
      const cached = Math.floor((known * blockSize * promptTokens) / text.length)
      return cached >= least ? cached : 0
    },
    reset: () => seen.clear(),
  }
}
