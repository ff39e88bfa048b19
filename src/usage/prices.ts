// What a model costs at a given time: gateway.yaml first, then our dated overlay, then genai-prices, then the default.
import { type Overlay, type PriceRow, priceOverlay, type UsdPerMillion } from '../../config/prices.ts'
import { publishedPrice } from './catalogue.ts'
import { isTier, type Tier } from './outcome.ts'
import { type Price, ratesOf, ratesOfRow, type TierFactor } from './rates.ts'

export interface PriceOptions {
  /** Prices stated by ops; they win over every table. */
  overrides?: PriceRow[]
  /** Names that stand for a model, beyond those of the overlay. */
  aliases?: Record<string, string>
  /** USD per thousand tokens of a model nobody has a price for; null leaves such calls unpriced. */
  defaultUsdPerThousand?: number | null
  overlay?: Overlay
  /** Told once per model and day that has no price of its own. */
  onUnpriced?: (model: string) => void
}

export interface Prices {
  /** The price of `model` as served at `atMs`; null when there is none, which is never the same as free. */
  lookup(model: string, atMs: number): Price | null
  /** Names the tables in force; goes into every booked cost. */
  version: string
}

const dayMs = 86_400_000
// Client-chosen model names end up here, so the memory has a bound.
const remembered = 512

/** Builds the lookup. It keeps up to 512 answers, one per model and UTC day, since prices change on UTC dates only. */
export function createPrices(options: PriceOptions = {}): Prices {
  const overlay = options.overlay ?? priceOverlay
  const overrides = options.overrides ?? []
  const version = `genai-prices-0.1.8+${overlay.version}${overrides.length > 0 ? '+gateway.yaml' : ''}`
  const aliases = new Map(overlay.aliases.map((row) => [row.alias, row.model]))
  for (const [alias, model] of Object.entries(options.aliases ?? {})) aliases.set(alias, model)
  const factors = tierFactors(overlay)
  const memory = new Map<string, Price | null>()

  function find(model: string, atMs: number): Price | null {
    const price = fromRows(overrides, model, atMs, 'override') ?? fromRows(overlay.models, model, atMs, 'table')
    if (price) return price
    const published = publishedPrice(model, atMs)
    if (published) return build(published.model, 'table', ratesOfRow(published), {})
    options.onUnpriced?.(model)
    const usd = options.defaultUsdPerThousand
    if (usd === undefined || usd === null) return null
    return build(model, 'default', { rates: ratesOf(flat(usd * 1000)), long: null }, {})
  }

  function fromRows(rows: PriceRow[], model: string, atMs: number, kind: 'override' | 'table'): Price | null {
    const valid = rows.filter((row) => matches(row.model, model) && (row.from ? Date.parse(row.from) <= atMs : true))
    const base = latest(valid.filter((row) => !row.tier))
    if (!base) return null
    const byTier: Price['byTier'] = {}
    for (const row of valid) {
      if (!row.tier || !isTier(row.tier)) continue
      const winner = latest(valid.filter((other) => other.tier === row.tier))
      if (winner) byTier[row.tier] = ratesOfRow(winner)
    }
    return build(model, kind, ratesOfRow(base), byTier)
  }

  function build(
    model: string,
    kind: Price['kind'],
    { rates, long }: Pick<Price, 'rates' | 'long'>,
    byTier: Price['byTier'],
  ): Price {
    const grounding = longestPrefix(overlay.grounding, model)
    const storage = longestPrefix(overlay.storage, model)?.usdPerMillionTokenHours
    return {
      model,
      kind,
      version,
      rates,
      long,
      byTier,
      factors,
      grounding: grounding ? { per: grounding.per, nanoUsd: Math.round(grounding.usdPerThousand * 1e6) } : null,
      storage: storage === undefined || storage === null ? null : Math.round(storage * 1e9),
    }
  }

  function lookup(name: string, atMs: number): Price | null {
    const bare = bareModel(name)
    const model = aliases.get(bare) ?? bare
    const day = Math.floor(atMs / dayMs)
    const key = `${day} ${model}`
    const known = memory.get(key)
    if (known !== undefined) return known
    const price = model === '' ? null : find(model, atMs)
    if (memory.size >= remembered) memory.delete(memory.keys().next().value ?? '')
    memory.set(key, price)
    return price
  }

  return { lookup, version }
}

/** `models/x`, `publishers/google/models/x` and a full Vertex path all name x; a trailing `@version` is Vertex' too. */
export function bareModel(name: string): string {
  const last = name.slice(name.lastIndexOf('/') + 1)
  return last.toLowerCase()
}

function flat(usdPerMillion: number): UsdPerMillion {
  return { input: usdPerMillion, output: usdPerMillion }
}

function matches(pattern: string, model: string): boolean {
  return pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : pattern === model
}

/** The row in force: an exact name beats a pattern, a later start an earlier one, a later line an earlier one. */
function latest(rows: PriceRow[]): PriceRow | undefined {
  const exact = rows.filter((row) => !row.model.endsWith('*'))
  let winner: PriceRow | undefined
  for (const row of exact.length > 0 ? exact : rows) {
    if (!winner || (row.from ?? '') >= (winner.from ?? '')) winner = row
  }
  return winner
}

function longestPrefix<Row extends { prefixes: string[] }>(rows: Row[], model: string): Row | undefined {
  let winner: Row | undefined
  let length = -1
  for (const row of rows) {
    for (const prefix of row.prefixes) {
      if (!model.startsWith(prefix) || prefix.length <= length) continue
      winner = row
      length = prefix.length
    }
  }
  return winner
}

function tierFactors(overlay: Overlay): Partial<Record<Tier, TierFactor>> {
  const factors: Partial<Record<Tier, TierFactor>> = { standard: { fresh: 1000, cached: 1000 } }
  for (const row of overlay.tiers) {
    if (!isTier(row.tier)) continue
    factors[row.tier] = { fresh: Math.round(row.factor * 1000), cached: Math.round(row.cachedFactor * 1000) }
  }
  return factors
}
