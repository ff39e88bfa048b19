import type { Config } from '../../config/schema.ts'
import { glob } from '../cache/policy.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { headerValue } from '../gemini/headers.ts'

/** What a call may fall back upon. */
export interface Chain {
  /** models, in the order in which they are asked; never the one that was asked for */
  models: readonly string[]
  /** longest wait for the first byte of a step, ms */
  timeoutMs: number
  /** the same for the model that was asked for; null: as long as any call */
  patienceMs: number | null
}

/** Embeddings of two models cannot be compared, and a count of tokens is of one model. */
const movable = new Set(['generateContent', 'streamGenerateContent'])

/**
 * What ties a call to its model: cached content, thought signatures and continuation tokens are refused by others. They are looked for as
 * keys anywhere; a prompt that happens to hold one only loses its fallback.
 */
const ties = [
  '"cachedContent"',
  '"cached_content"',
  '"thoughtSignature"',
  '"thought_signature"',
  '"continuationToken"',
  '"continuation_token"',
].map((key) => Buffer.from(key))

/** Makes the function that finds a call's chain: null when there is none, or when the call must not move. */
export function createChains(settings: Config['fallback']) {
  const chains = settings.chains.map((chain) => ({ ...chain, patterns: chain.models.map(glob) }))

  return function chainOf(exchange: Exchange, rawHeaders: readonly string[]): Chain | null {
    if (!settings.enabled || chains.length === 0) return null
    const { model, target, interaction, tags } = exchange
    if (model === null || target.model === null || !movable.has(target.operation ?? '')) return null
    const found = chains.find(
      ({ patterns, interactions, tags: wanted }) =>
        (patterns.length === 0 || patterns.some((pattern) => pattern.test(model))) &&
        (interactions.length === 0 || (interaction !== null && interactions.includes(interaction))) &&
        (wanted.length === 0 || Object.entries(tags).some(([name, value]) => wanted.includes(`${name}=${value}`))),
    )
    if (found === undefined || headerValue(rawHeaders, 'x-castor-fallback') === 'off' || isTied(exchange.body))
      return null
    const models = found.steps.filter((step) => step !== model)
    if (models.length === 0) return null
    return { models, timeoutMs: settings.timeout, patienceMs: found.patience === 0 ? null : found.patience }
  }
}

function isTied(body: Buffer | null): boolean {
  return body !== null && ties.some((key) => body.includes(key))
}
