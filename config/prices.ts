// The dated price overlay: what @pydantic/genai-prices does not carry. One source and one date of reading per row.
import overlay from './prices.json' with { type: 'json' }

/** USD per million tokens. A class that is absent is billed as the class above it: audio as input, cached as input. */
export interface UsdPerMillion {
  input: number
  output?: number
  cached?: number
  inputAudio?: number
  inputImage?: number
  inputVideo?: number
  cachedAudio?: number
  outputAudio?: number
  outputImage?: number
  outputVideo?: number
}

/**
 * One price of one model. Used by the overlay and, in the same shape, by `metering.prices` in gateway.yaml.
 * `model` may end in `*`. `from` (YYYY-MM-DD, UTC midnight, inclusive) starts its validity; without it the row is
 * valid from the beginning. `above` with `usdPerMillionAbove` reprices the whole request once its prompt is longer.
 * `tier` states explicit rates for one service tier instead of the tier's general factor.
 */
export interface PriceRow {
  model: string
  from?: string
  tier?: string
  usdPerMillion: UsdPerMillion
  above?: number
  usdPerMillionAbove?: UsdPerMillion
  source?: string
  read?: string
}

export interface TierRow {
  tier: string
  factor: number
  cachedFactor: number
  source: string
  read: string
}

export interface GroundingRow {
  prefixes: string[]
  per: 'prompt' | 'query'
  usdPerThousand: number
  source: string
  read: string
}

export interface StorageRow {
  prefixes: string[]
  usdPerMillionTokenHours: number | null
  source: string
  read: string
}

export interface Overlay {
  version: string
  aliases: { alias: string; model: string; source: string; read: string }[]
  models: PriceRow[]
  tiers: TierRow[]
  grounding: GroundingRow[]
  storage: StorageRow[]
}

/** The overlay as shipped. The JSON import widens literal types, hence the cast; test/usage-prices.test.ts checks each row. */
export const priceOverlay = overlay as Overlay
