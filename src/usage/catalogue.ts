// The one place that knows @pydantic/genai-prices: its keys, its tiers, its dates.
import { calcPrice } from '@pydantic/genai-prices'
import type { UsdPerMillion } from '../../config/prices.ts'

/** A published price of one model at one time, in our words. */
export interface Published {
  model: string
  usdPerMillion: UsdPerMillion
  above?: number
  usdPerMillionAbove?: UsdPerMillion
}

const keys: Record<string, keyof UsdPerMillion> = {
  input_mtok: 'input',
  output_mtok: 'output',
  cache_read_mtok: 'cached',
  input_audio_mtok: 'inputAudio',
  input_image_mtok: 'inputImage',
  input_video_mtok: 'inputVideo',
  cache_audio_read_mtok: 'cachedAudio',
  output_audio_mtok: 'outputAudio',
  output_image_mtok: 'outputImage',
  output_video_mtok: 'outputVideo',
}

/**
 * Looks a model up among Google's prices at `atMs`; null when the table does not know it. A row without any price is a
 * model that is free of charge (Gemma on the Gemini API) and comes back as input and output 0.
 */
export function publishedPrice(model: string, atMs: number): Published | null {
  const found = calcPrice({}, model, { providerId: 'google', timestamp: new Date(atMs) })
  if (!found) return null
  const base: Partial<UsdPerMillion> = {}
  const long: Partial<UsdPerMillion> = {}
  let above: number | undefined
  for (const [name, price] of Object.entries(found.model_price)) {
    const key = keys[name]
    if (!key || price === undefined || price === null) continue
    if (typeof price === 'number') {
      base[key] = price
      continue
    }
    base[key] = price.base
    const tier = price.tiers[0]
    if (!tier) continue
    // The tables have one step per model, and it reprices the whole request; the step is the same for every class.
    long[key] = tier.price
    above = tier.start
  }
  if (Object.keys(base).length === 0) return { model: found.model.id, usdPerMillion: { input: 0, output: 0 } }
  if (base.input === undefined) return null
  const usdPerMillion = { ...base, input: base.input }
  if (above === undefined) return { model: found.model.id, usdPerMillion }
  return {
    model: found.model.id,
    usdPerMillion,
    above,
    usdPerMillionAbove: { ...long, input: long.input ?? base.input },
  }
}
