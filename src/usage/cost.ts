// The price of one answer. facts/operations.md §2.2 is the source of the formula.
import { type PlainParts, plainParts, plainScale, roundPlain } from './cost-plain.ts'
import type { Tier } from './outcome.ts'
import type { Price, Rates, TierFactor } from './rates.ts'
import { type Split, splitCached, splitTokens, type TokenUsage, tokenCount } from './tokens.ts'

/** Whole nano-USD. `total` is rounded once; the parts add up to it. */
export interface Cost {
  total: number
  input: number
  cached: number
  output: number
  thoughts: number
  toolUse: number
  grounding: number
}

/** The parts of a cost in the order they are kept. */
export const costParts = ['input', 'cached', 'output', 'thoughts', 'toolUse', 'grounding'] as const

export const noCost: Cost = { total: 0, input: 0, cached: 0, output: 0, thoughts: 0, toolUse: 0, grounding: 0 }

// rate [nano-USD per million tokens] * tokens * factor [thousandths], brought back to nano-USD.
const scale = 1_000_000_000n

/**
 * What `usage` costs at `price` on the tier that was served; null when the price does not cover it (a tier without a
 * factor, output of a model that has none). Cached tokens are taken out of the prompt, thoughts are billed as text
 * output, tool use as input, and a prompt beyond the threshold moves the whole request to the long rates.
 */
export function costOf(usage: TokenUsage, tier: Tier, price: Price): Cost | null {
  const prompt = tokenCount(usage.promptTokens)
  const explicit = price.byTier[tier]
  const factor = explicit ? { fresh: 1000, cached: 1000 } : price.factors[tier]
  if (!factor) return null
  const long = explicit ? explicit.long : price.long
  const rates = long && prompt > long.above ? long.rates : explicit ? explicit.rates : price.rates

  const promptSplit = splitTokens(prompt, usage.byModality?.prompt)
  const cachedTotal = Math.min(prompt, tokenCount(usage.cachedTokens))
  const cachedSplit = splitCached(cachedTotal, usage.byModality?.cached, promptSplit)
  const toolSplit = splitTokens(tokenCount(usage.toolUseTokens), usage.byModality?.toolUse)
  const outSplit = splitTokens(tokenCount(usage.candidateTokens), usage.byModality?.candidates)
  const thoughts = tokenCount(usage.thoughtTokens)
  const output = rates.output
  if (!output && (tokenCount(usage.candidateTokens) > 0 || thoughts > 0)) return null

  if (factor.fresh === 1000 && factor.cached === 1000) {
    const groundingNanoUsd = Number(groundingCost(usage, price))
    const split = { prompt: promptSplit, cached: cachedSplit, toolUse: toolSplit, output: outSplit }
    const plain = plainParts({ ...split, thoughts, groundingNanoUsd }, rates)
    if (plain !== null) return roundPlainOnce(plain)
  }
  const fresh = BigInt(factor.fresh)
  const exact = {
    input: (weigh(promptSplit, rates.input) - weigh(cachedSplit, rates.input)) * fresh,
    cached: weighCached(cachedSplit, rates, factor),
    output: output ? weigh(outSplit, output) * fresh : 0n,
    thoughts: output ? BigInt(thoughts) * BigInt(output.text) * fresh : 0n,
    toolUse: weigh(toolSplit, rates.input) * fresh,
    grounding: groundingCost(usage, price) * scale,
  }
  return roundOnce(exact)
}

/** What the same usage would cost had nothing been served from Google's own cache: the gap is Google's merit, not ours. */
export function costWithoutProviderCache(usage: TokenUsage, tier: Tier, price: Price): Cost | null {
  return costOf({ ...usage, cachedTokens: 0 }, tier, price)
}

/** Storage of an explicit cache in nano-USD; null when no price is published for the model. */
export function storageCost(tokens: number, ms: number, price: Price): number | null {
  if (price.storage === null) return null
  const exact = BigInt(tokenCount(tokens)) * BigInt(Math.max(0, Math.round(ms))) * BigInt(price.storage)
  return Number(roundHalfEven(exact, 1_000_000n * 3_600_000n))
}

/** Divides and rounds half to even, the rounding of IEEE 754 and of banks; both arguments not negative. */
export function roundHalfEven(amount: bigint, divisor: bigint): bigint {
  const whole = amount / divisor
  const twice = (amount % divisor) * 2n
  if (twice > divisor || (twice === divisor && whole % 2n === 1n)) return whole + 1n
  return whole
}

function weigh(split: Split, rates: Rates['input']): bigint {
  return (
    BigInt(split.text + split.document) * BigInt(rates.text) +
    BigInt(split.audio) * BigInt(rates.audio) +
    BigInt(split.image) * BigInt(rates.image) +
    BigInt(split.video) * BigInt(rates.video)
  )
}

/**
 * The tier's discount and the cache's do not stack, so each has its own factor; but a cached token never costs more than
 * the same token sent afresh (models without a cached price, on the batch tier).
 */
function weighCached(split: Split, rates: Rates, factor: TierFactor): bigint {
  const rate = (modality: keyof Rates['input']) =>
    BigInt(Math.min(rates.cached[modality] * factor.cached, rates.input[modality] * factor.fresh))
  return (
    BigInt(split.text + split.document) * rate('text') +
    BigInt(split.audio) * rate('audio') +
    BigInt(split.image) * rate('image') +
    BigInt(split.video) * rate('video')
  )
}

function groundingCost(usage: TokenUsage, price: Price): bigint {
  const queries = tokenCount(usage.groundingQueries)
  if (!price.grounding || queries === 0) return 0n
  return BigInt(price.grounding.per === 'query' ? queries : 1) * BigInt(price.grounding.nanoUsd)
}

/** The same as roundOnce, for parts that doubles hold. */
function roundPlainOnce(exact: PlainParts): Cost {
  let sum = 0
  for (const part of costParts) sum += exact[part]
  const cost: Cost = { ...noCost, total: roundPlain(sum, plainScale) }
  let rest = cost.total
  let largest: (typeof costParts)[number] = 'input'
  for (const part of costParts) {
    const share = (exact[part] - (exact[part] % plainScale)) / plainScale
    cost[part] = share
    rest -= share
    if (exact[part] > exact[largest]) largest = part
  }
  cost[largest] += rest
  return cost
}

/** Rounds the sum once and gives what rounding the parts lost or won to the largest of them. */
function roundOnce(exact: Record<(typeof costParts)[number], bigint>): Cost {
  const total = roundHalfEven(
    costParts.reduce((sum, part) => sum + exact[part], 0n),
    scale,
  )
  const cost: Cost = { ...noCost, total: Number(total) }
  let rest = total
  let largest: (typeof costParts)[number] = 'input'
  for (const part of costParts) {
    const share = exact[part] / scale
    cost[part] = Number(share)
    rest -= share
    if (exact[part] > exact[largest]) largest = part
  }
  cost[largest] += Number(rest)
  return cost
}
