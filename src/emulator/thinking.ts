/** Thoughts: how many tokens they take, and the signatures they leave. */
import { asNumber, asObject, asString, type JsonObject } from './json.ts'
import type { Model } from './models.ts'
import { between, createRandom, randomToken } from './random.ts'

export interface Thinking {
  tokens: number
  shown: boolean
}

/** As much as `thinkingConfig` asks for; none for models that do not think. */
export function thinkingOf(model: Model, config: JsonObject, seed: number): Thinking {
  const settings = asObject(config.thinkingConfig) ?? {}
  const wanted = asNumber(settings.thinkingBudget)
  const shown = settings.includeThoughts === true
  if (!model.thinking || wanted === 0) return { tokens: 0, shown }
  const level = asString(settings.thinkingLevel)?.toUpperCase() ?? 'HIGH'
  const scale = level === 'MINIMAL' ? 0 : level === 'LOW' ? 0.25 : level === 'MEDIUM' ? 0.5 : 1
  const tokens = Math.floor(between(createRandom(seed ^ 0x7417), 30, 400) * scale)
  return { tokens: wanted !== undefined && wanted > 0 ? Math.min(tokens, wanted) : tokens, shown }
}

/** Gemini 3 signs whatever it did; 2.5 signs calls it thought about. */
export function signs(model: Model, calls: boolean, thinking: Thinking): boolean {
  return model.generation >= 3 || (calls && thinking.tokens > 0)
}

/** Base64 that means nothing; long, as Google's are. */
export function signatureFor(seed: number): string {
  const random = createRandom(seed ^ 0x5160)
  return Buffer.from(randomToken(random, between(random, 120, 420))).toString('base64')
}
