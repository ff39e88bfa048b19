// Token counts as metering takes them, and how they are split by what they are billed as.

/** Counts by modality, keys in any case: TEXT, IMAGE, VIDEO, AUDIO, DOCUMENT. */
export type ByModality = Readonly<Record<string, number | undefined>>

/**
 * What one answer used, as Gemini counts it: `promptTokens` includes `cachedTokens`; `candidateTokens` excludes
 * `thoughtTokens`; total = prompt + candidates + thoughts + toolUse (facts: usageMetadata, 995 of 997 recordings).
 * `Usage` of src/gemini/usage.ts fits this shape.
 */
export interface TokenUsage {
  promptTokens: number
  cachedTokens: number
  candidateTokens: number
  thoughtTokens: number
  toolUseTokens: number
  byModality?: {
    prompt?: ByModality
    cached?: ByModality
    candidates?: ByModality
    toolUse?: ByModality
  }
  serviceTier?: string
  trafficType?: string
  groundingQueries?: number
  source?: 'reported' | 'partial' | 'none'
}

export const noTokens: TokenUsage = {
  promptTokens: 0,
  cachedTokens: 0,
  candidateTokens: 0,
  thoughtTokens: 0,
  toolUseTokens: 0,
}

export interface Split {
  text: number
  audio: number
  image: number
  video: number
  document: number
}

const named = ['audio', 'image', 'video', 'document'] as const

/**
 * Splits `total` by modality. Details beyond the total are cut, what the details leave open is text: the total is what
 * Gemini bills, the details only say how.
 */
export function splitTokens(total: number, details: ByModality | undefined): Split {
  const split: Split = { text: 0, audio: 0, image: 0, video: 0, document: 0 }
  let open = total
  for (const modality of named) {
    const count = Math.min(open, tokenCount(details?.[modality.toUpperCase()] ?? details?.[modality]))
    split[modality] = count
    open -= count
  }
  split.text = open
  return split
}

/**
 * Splits the cached tokens so that no modality has more of them than of the prompt: a cached token is a prompt token, and
 * what the details leave open goes to text first, then to whatever the prompt has left.
 */
export function splitCached(total: number, details: ByModality | undefined, prompt: Split): Split {
  const split = splitTokens(total, details)
  let open = 0
  for (const modality of ['text', ...named] as const) {
    const spare = split[modality] - prompt[modality]
    if (spare <= 0) continue
    split[modality] = prompt[modality]
    open += spare
  }
  for (const modality of ['text', ...named] as const) {
    const room = Math.min(open, prompt[modality] - split[modality])
    split[modality] += room
    open -= room
  }
  return split
}

/** A count as it came off the wire, made a whole number of tokens that is not negative; junk is 0. */
export function tokenCount(value: unknown): number {
  const count = typeof value === 'number' || typeof value === 'string' ? Math.floor(Number(value)) : 0
  return Number.isSafeInteger(count) && count > 0 ? count : 0
}
