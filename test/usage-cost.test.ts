import fc from 'fast-check'
import t from 'tap'
import { costOf, costParts, costWithoutProviderCache, roundHalfEven, storageCost } from '../src/usage/cost.ts'
import { tiers } from '../src/usage/outcome.ts'
import { createPrices } from '../src/usage/prices.ts'
import type { Price } from '../src/usage/rates.ts'
import { splitCached, splitTokens } from '../src/usage/tokens.ts'
import { noon, prices, usageOf } from './usage-traffic.ts'

function priceOf(model: string): Price {
  const price = prices.lookup(model, noon)
  if (!price) throw new Error(`no price for ${model}`)
  return price
}

const usd = (nano: number | undefined): number => (nano ?? Number.NaN) / 1e9
const models = [
  'gemini-2.5-pro',
  'gemini-2.5-flash',
  'gemini-3-pro-preview',
  'gemini-4-argon',
  'gemini-2.5-flash-image',
]

const modality = fc.record(
  {
    TEXT: fc.nat(400_000),
    AUDIO: fc.nat(400_000),
    IMAGE: fc.nat(400_000),
    VIDEO: fc.nat(9_000),
    DOCUMENT: fc.nat(9_000),
  },
  { requiredKeys: [] },
)
const anyUsage = fc.record({
  promptTokens: fc.nat(1_000_000),
  cachedTokens: fc.nat(1_200_000),
  candidateTokens: fc.nat(70_000),
  thoughtTokens: fc.nat(70_000),
  toolUseTokens: fc.nat(100_000),
  groundingQueries: fc.nat(5),
  byModality: fc.record({ prompt: modality, cached: modality, candidates: modality, toolUse: modality }),
})
const anyModel = fc.constantFrom(...models)
const anyTier = fc.constantFrom(...tiers.filter((tier) => tier !== 'other'))

// The figures of https://github.com/BerriAI/litellm/issues/14849, with the rates the thread reckons with.
t.test('the cached part of a prompt is billed once: $0.1849, not $0.7642', async (t) => {
  const usage = usageOf({ promptTokens: 262_960, cachedTokens: 257_955, candidateTokens: 1_744 })
  const rates = { input: 1.25, cached: 0.625, output: 10 }
  const price = createPrices({ overrides: [{ model: 'gemini-2.5-pro', usdPerMillion: rates }] }).lookup(
    'gemini-2.5-pro',
    noon,
  )
  if (!price) throw new Error('the override is not found')
  t.equal(usd(costOf(usage, 'standard', price)?.total).toFixed(4), '0.1849')
  // Today the prompt is beyond the threshold, and the cached rate a tenth.
  t.equal(
    usd(costOf(usage, 'standard', priceOf('gemini-2.5-pro'))?.total),
    (5_005 * 2.5 + 257_955 * 0.25 + 1_744 * 15) / 1e6,
  )
})

t.test('the threshold reprices the whole request', async (t) => {
  const pro = priceOf('gemini-2.5-pro')
  t.equal(usd(costOf(usageOf({ promptTokens: 200_000 }), 'standard', pro)?.total), 0.25)
  t.equal(usd(costOf(usageOf({ promptTokens: 200_001 }), 'standard', pro)?.total), 0.5000025)
  const long = costOf(usageOf({ promptTokens: 300_000, cachedTokens: 100_000, candidateTokens: 1000 }), 'standard', pro)
  t.equal(usd(long?.total), 0.2 * 2.5 + 0.1 * 0.25 + 0.001 * 15)
})

t.test('thoughts are billed as output and tool use as input', async (t) => {
  const cost = costOf(
    usageOf({ promptTokens: 10, thoughtTokens: 1_000_000, toolUseTokens: 1_000_000 }),
    'standard',
    priceOf('gemini-2.5-flash'),
  )
  t.equal(usd(cost?.thoughts), 2.5)
  t.equal(usd(cost?.toolUse), 0.3)
})

t.test('each modality has its rate', async (t) => {
  const byModality = { prompt: { TEXT: 100_000, AUDIO: 900_000 }, cached: { AUDIO: 500_000 } }
  const cost = costOf(
    usageOf({ promptTokens: 1_000_000, cachedTokens: 500_000, byModality }),
    'standard',
    priceOf('gemini-2.5-flash'),
  )
  t.equal(cost?.input, 430_000_000)
  t.equal(usd(cost?.cached), 0.5 * 0.1)
  const image = costOf(
    usageOf({ candidateTokens: 1_300, byModality: { candidates: { IMAGE: 1_290 } } }),
    'standard',
    priceOf('gemini-2.5-flash-image'),
  )
  t.equal(usd(image?.output), (1_290 * 30 + 10 * 2.5) / 1e6)
})

t.test('the tier that was served sets the price; cached tokens are not discounted twice', async (t) => {
  const flash = priceOf('gemini-2.5-flash')
  const usage = usageOf({ promptTokens: 2_000_000, cachedTokens: 1_000_000, candidateTokens: 1_000_000 })
  t.equal(usd(costOf(usage, 'standard', flash)?.total), 0.3 + 0.03 + 2.5)
  t.equal(usd(costOf(usage, 'batch', flash)?.total), 0.15 + 0.03 + 1.25)
  t.equal(usd(costOf(usage, 'flex', flash)?.total), 0.15 + 0.03 + 1.25)
  t.equal(usd(costOf(usage, 'priority', flash)?.total), 1.8 * (0.3 + 0.03 + 2.5))
  t.equal(costOf(usage, 'other', flash), null, 'a tier nobody knows has no price')
})

t.test('a cached token is never dearer than a fresh one, on no tier', async (t) => {
  const image = priceOf('gemini-2.5-flash-image')
  const fresh = costOf(usageOf({ promptTokens: 1_000_000 }), 'batch', image)
  const cached = costOf(usageOf({ promptTokens: 1_000_000, cachedTokens: 1_000_000 }), 'batch', image)
  t.equal(cached?.total, fresh?.total)
})

t.test('grounding is billed per prompt up to 2.5 and per query from 3 on, whatever the tier', async (t) => {
  const usage = usageOf({ groundingQueries: 3 })
  t.equal(usd(costOf(usage, 'standard', priceOf('gemini-2.5-flash'))?.grounding), 0.035)
  t.equal(usd(costOf(usage, 'flex', priceOf('gemini-3-pro-preview'))?.grounding), 0.042)
})

t.test('output of a model without an output price is unpriced, not free', async (t) => {
  const embedding = priceOf('gemini-embedding-001')
  t.equal(costOf(usageOf({ promptTokens: 10, candidateTokens: 1 }), 'standard', embedding), null)
  t.equal(costOf(usageOf({ promptTokens: 1_000_000 }), 'standard', embedding)?.total, 150_000_000)
})

t.test('cache storage is billed by tokens and hours', async (t) => {
  t.equal(storageCost(1_000_000, 3_600_000, priceOf('gemini-2.5-pro')), 4_500_000_000)
  t.equal(storageCost(100_000, 1_800_000, priceOf('gemini-2.5-flash')), 50_000_000)
  t.equal(storageCost(1, 1, priceOf('gemini-4-argon')), null)
})

t.test('rounding goes to the even neighbour', async (t) => {
  const rounded = [0n, 1n, 5n, 15n, 25n, 26n, 35n].map((amount) => roundHalfEven(amount, 10n))
  t.same(rounded, [0n, 0n, 0n, 2n, 2n, 3n, 4n])
})

t.test('the parts add up to the total', async () => {
  fc.assert(
    fc.property(anyUsage, anyTier, anyModel, (usage, tier, model) => {
      const cost = costOf(usage, tier, priceOf(model))
      return cost !== null && costParts.reduce((sum, part) => sum + cost[part], 0) === cost.total && cost.total >= 0
    }),
  )
})

t.test('more of anything never costs less', async () => {
  const classes = ['promptTokens', 'candidateTokens', 'thoughtTokens', 'toolUseTokens', 'groundingQueries'] as const
  fc.assert(
    fc.property(anyUsage, fc.constantFrom(...classes), fc.nat(300_000), anyModel, (usage, name, more, model) => {
      // Cached tokens are held: a longer prompt could otherwise turn cached text into cached audio.
      const base = { ...usage, byModality: {} }
      const larger = { ...base, [name]: base[name] + more }
      const cached = Math.min(base.cachedTokens, base.promptTokens)
      const price = priceOf(model)
      const before = costOf({ ...base, cachedTokens: cached }, 'standard', price)
      const after = costOf({ ...larger, cachedTokens: cached }, 'standard', price)
      return before !== null && after !== null && after.total >= before.total
    }),
  )
})

t.test('caching never makes a call dearer, and never cheaper than its cached rate', async () => {
  fc.assert(
    fc.property(anyUsage, anyTier, anyModel, (usage, tier, model) => {
      const price = priceOf(model)
      const cost = costOf(usage, tier, price)
      const without = costWithoutProviderCache(usage, tier, price)
      return cost !== null && without !== null && cost.total <= without.total
    }),
  )
})

t.test('no token is billed twice or not at all, however the details lie', async () => {
  fc.assert(
    fc.property(fc.nat(500_000), fc.nat(500_000), modality, modality, (total, cachedTotal, details, cachedDetails) => {
      const prompt = splitTokens(total, details)
      const cached = splitCached(Math.min(total, cachedTotal), cachedDetails, prompt)
      const sum = (split: object) => Object.values(split).reduce((a: number, b: number) => a + b, 0)
      const names = ['text', 'audio', 'image', 'video', 'document'] as const
      return (
        sum(prompt) === total &&
        sum(cached) === Math.min(total, cachedTotal) &&
        names.every((name) => cached[name] <= prompt[name] && cached[name] >= 0)
      )
    }),
  )
})

t.test('a sum of costs is the cost of the sum, up to rounding', async () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50_000), { minLength: 1, maxLength: 50 }), anyModel, (prompts, model) => {
      const price = { ...priceOf(model), long: null }
      const each = prompts.map(
        (promptTokens) => costOf(usageOf({ promptTokens }), 'standard', price)?.total ?? Number.NaN,
      )
      const whole = costOf(usageOf({ promptTokens: prompts.reduce((a, b) => a + b, 0) }), 'standard', price)
      return Math.abs(each.reduce((a, b) => a + b, 0) - (whole?.total ?? Number.NaN)) <= prompts.length
    }),
  )
})
