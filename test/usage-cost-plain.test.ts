import fc from 'fast-check'
import t from 'tap'
import { costOf, costParts, roundHalfEven } from '../src/usage/cost.ts'
import { plainParts, plainScale, roundPlain } from '../src/usage/cost-plain.ts'
import type { Price } from '../src/usage/rates.ts'
import { prices, usageOf } from './usage-traffic.ts'

const count = fc.integer({ min: 0, max: 2_000_000 })
const usage = fc
  .record({ promptTokens: count, cachedTokens: count, candidateTokens: count, thoughtTokens: count, audio: count })
  .map(({ audio, ...counts }) =>
    usageOf({ ...counts, byModality: { prompt: { AUDIO: audio }, cached: { AUDIO: audio } } }),
  )

t.test('doubles and BigInt come to the same cost, part by part', async (t) => {
  for (const model of ['gemini-2.5-flash', 'gemini-2.5-pro', 'gemini-2.5-flash-lite']) {
    const price = prices.lookup(model, Date.parse('2026-11-20'))
    if (price === null) throw new Error(`no price for ${model}`)
    // Twice the factor at half the rate is the same price, reckoned in BigInt.
    const doubled: Price = { ...price, factors: { ...price.factors, standard: { fresh: 2000, cached: 2000 } } }
    fc.assert(
      fc.property(usage, (used) => {
        const plain = costOf(used, 'standard', price)
        const twice = costOf({ ...used }, 'standard', doubled)
        if (plain === null || twice === null) throw new Error('a price was expected')
        // Rounded once each, so twice the one is within one nano-dollar of the other.
        t.ok(Math.abs(plain.total * 2 - twice.total) <= 1, `${plain.total} and ${twice.total}`)
        t.equal(
          costParts.reduce((sum, part) => sum + plain[part], 0),
          plain.total,
        )
      }),
      { numRuns: 200 },
    )
  }
})

t.test('rounding in doubles is rounding in BigInt', async (t) => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (amount) => {
      t.equal(BigInt(roundPlain(amount, plainScale)), roundHalfEven(BigInt(amount), BigInt(plainScale)))
    }),
    { numRuns: 500 },
  )
  t.strictSame(
    [500_000, 1_500_000, 2_500_000, 500_001].map((amount) => roundPlain(amount, plainScale)),
    [0, 2, 2, 1],
  )
})

t.test('what a double cannot hold is left to BigInt', async (t) => {
  const price = prices.lookup('gemini-2.5-pro', Date.parse('2026-11-20'))
  const many = { text: 1e12, audio: 0, image: 0, video: 0, document: 0 }
  const none = { text: 0, audio: 0, image: 0, video: 0, document: 0 }
  const priced = { prompt: many, cached: none, toolUse: none, output: none, thoughts: 0, groundingNanoUsd: 0 }
  t.equal(price && plainParts(priced, price.rates), null)
})
