import fc from 'fast-check'
import t from 'tap'
import { costOf } from '../src/usage/cost.ts'
import { noMeasures } from '../src/usage/measure.ts'
import { sources } from '../src/usage/outcome.ts'
import { netSavings, savedByChange, savedByHit } from '../src/usage/savings.ts'
import { noon, prices, usageOf } from './usage-traffic.ts'

const flash = prices.lookup('gemini-2.5-flash', noon)
const pro = prices.lookup('gemini-2.5-pro', noon)
const usage = usageOf({ promptTokens: 1_000, cachedTokens: 500, candidateTokens: 100 })
const sum = (savings: object): number => Object.values(savings).reduce((a: number, b: number) => a + b, 0)

t.test('a hit saves what the same usage would cost, once, under the name of what answered', async (t) => {
  if (!flash) throw new Error('no price')
  const cost = costOf(usage, 'standard', flash)?.total ?? Number.NaN
  for (const source of sources) {
    const savings = savedByHit(source, usage, flash)
    const counts = ['exact', 'semantic', 'coalesced', 'duplicate'].includes(source)
    t.equal(sum(savings), counts ? cost : 0, source)
  }
  t.equal(savedByHit('semantic', usage, flash).semantic, cost)
})

t.test('what has no price saves nothing', async (t) => {
  t.equal(sum(savedByHit('exact', usage, null)), 0)
  t.equal(sum(savedByChange(usage, 'batch', null, { tierChosen: true })), 0)
})

t.test('a cheaper tier counts only when Castor chose it', async (t) => {
  if (!flash) throw new Error('no price')
  const paid = costOf(usage, 'batch', flash)?.total ?? Number.NaN
  const standard = costOf(usage, 'standard', flash)?.total ?? Number.NaN
  t.equal(savedByChange(usage, 'batch', flash, { tierChosen: true }).tier, standard - paid)
  t.equal(sum(savedByChange(usage, 'batch', flash, {})), 0)
})

t.test('trimming is counted net of the caching it lost, also when that makes it a loss', async (t) => {
  // 10,000 tokens cut from a prompt of which Google would have had 10,500 cached.
  const trimmed = savedByChange(usageOf({ promptTokens: 1_000 }), 'standard', flash, {
    trimmedTokens: 10_000,
    cachedWithoutTrim: 10_500,
  })
  t.equal(trimmed.trim, 500 * 300 + 10_500 * 30 - 1_000 * 300)
  const loss = savedByChange(usageOf({ promptTokens: 5_000 }), 'standard', flash, {
    trimmedTokens: 1_000,
    cachedWithoutTrim: 5_800,
  })
  t.ok(loss.trim < 0)
})

t.test('trimming below the long-context threshold saves the repricing too', async (t) => {
  const saved = savedByChange(usageOf({ promptTokens: 190_000 }), 'standard', pro, { trimmedTokens: 20_000 })
  t.equal(saved.trim, 210_000 * 2_500 - 190_000 * 1_250)
})

t.test('trimming and tier add up to the whole way and never count a dollar twice', async () => {
  fc.assert(
    fc.property(fc.nat(300_000), fc.nat(300_000), fc.nat(100_000), (promptTokens, trimmedTokens, cachedTokens) => {
      if (!pro) return false
      const actual = usageOf({ promptTokens, cachedTokens: Math.min(promptTokens, cachedTokens), candidateTokens: 500 })
      const saved = savedByChange(actual, 'batch', pro, { trimmedTokens, tierChosen: true })
      const untouched = { ...actual, promptTokens: promptTokens + trimmedTokens }
      const whole = (costOf(untouched, 'standard', pro)?.total ?? 0) - (costOf(actual, 'batch', pro)?.total ?? 0)
      return sum(saved) === whole
    }),
  )
})

t.test("net is gross less overhead; Google's own caching is shown and not added", async (t) => {
  const net = netSavings({
    ...noMeasures(),
    savedExact: 100,
    savedSemantic: 50,
    savedCoalesced: 10,
    savedTier: 20,
    savedTrim: -30,
    overhead: 40,
    providerCache: 999,
  })
  t.match(net, { gross: 150, overhead: 40, net: 110, providerCache: 999 })
})
