// Prices as integers: nano-USD (1e-9 USD) per million tokens. $10 per million tokens is 10_000_000_000.
import type { PriceRow, UsdPerMillion } from '../../config/prices.ts'
import type { Tier } from './outcome.ts'

/** Every class has its rate; null where the model has no price for it (an embedding model has no output). */
export interface Rates {
  input: { text: number; audio: number; image: number; video: number }
  cached: { text: number; audio: number; image: number; video: number }
  output: { text: number; audio: number; image: number; video: number } | null
}

/** A tier's factors in thousandths: 500 is half price. Fresh stands for everything but cached tokens. */
export interface TierFactor {
  fresh: number
  cached: number
}

/** What one model costs at one time. */
export interface Price {
  /** The model the row is for; not always the name that was looked up. */
  model: string
  /** table: a published price · override: gateway.yaml · default: `metering.defaultPrice`, to be shown as estimated */
  kind: 'table' | 'override' | 'default'
  /** Names table and version, kept with every booked cost so that history does not change with the table. */
  version: string
  rates: Rates
  /** The rates of the whole request, once its prompt has more than `above` tokens. */
  long: { above: number; rates: Rates } | null
  /** Explicit rates of a tier; other tiers take `factors`. */
  byTier: Partial<Record<Tier, { rates: Rates; long: Price['long'] }>>
  factors: Partial<Record<Tier, TierFactor>>
  /** Search grounding; nano-USD per grounded prompt (Gemini up to 2.5) or per search query (from 3). */
  grounding: { per: 'prompt' | 'query'; nanoUsd: number } | null
  /** Explicit cache storage, nano-USD per million tokens and hour; null where none is published. */
  storage: number | null
}

/** USD to nano-USD; a price table's decimals come back exactly up to $9 million. */
export function nanoUsd(usd: number): number {
  return Math.round(usd * 1e9)
}

/** The rates of one row; a class without its own price takes the class above it. */
export function ratesOf(usd: UsdPerMillion): Rates {
  const cached = usd.cached ?? usd.input
  const output = usd.output
  return {
    input: {
      text: nanoUsd(usd.input),
      audio: nanoUsd(usd.inputAudio ?? usd.input),
      image: nanoUsd(usd.inputImage ?? usd.input),
      video: nanoUsd(usd.inputVideo ?? usd.input),
    },
    cached: {
      text: nanoUsd(cached),
      // Without a cached audio price a cached token still never costs more than a fresh one of its kind.
      audio: nanoUsd(usd.cachedAudio ?? cached),
      image: nanoUsd(usd.cached ?? usd.inputImage ?? usd.input),
      video: nanoUsd(usd.cached ?? usd.inputVideo ?? usd.input),
    },
    output:
      output === undefined
        ? null
        : {
            text: nanoUsd(output),
            audio: nanoUsd(usd.outputAudio ?? output),
            image: nanoUsd(usd.outputImage ?? output),
            video: nanoUsd(usd.outputVideo ?? output),
          },
  }
}

/** The base and long-context rates of a row of the overlay or of gateway.yaml. */
export function ratesOfRow(row: PriceRow): { rates: Rates; long: Price['long'] } {
  const long =
    row.above !== undefined && row.usdPerMillionAbove
      ? { above: row.above, rates: ratesOf({ ...row.usdPerMillion, ...row.usdPerMillionAbove }) }
      : null
  return { rates: ratesOf(row.usdPerMillion), long }
}
