import t from 'tap'
import { type Overlay, priceOverlay } from '../config/prices.ts'
import { servedTier } from '../src/usage/outcome.ts'
import { createPrices } from '../src/usage/prices.ts'

const november = Date.parse('2026-11-20T12:00:00Z')
const usd = (nano: number | undefined): number => (nano ?? Number.NaN) / 1e9

t.test('published prices come from genai-prices, in nano-USD per million tokens', async (t) => {
  const prices = createPrices()
  const pro = prices.lookup('gemini-2.5-pro', november)
  t.equal(usd(pro?.rates.input.text), 1.25)
  t.equal(usd(pro?.rates.cached.text), 0.125)
  t.equal(usd(pro?.rates.output?.text), 10)
  t.equal(pro?.long?.above, 200_000)
  t.equal(usd(pro?.long?.rates.input.text), 2.5)
  t.equal(usd(pro?.long?.rates.cached.text), 0.25)
  t.equal(usd(pro?.long?.rates.output?.text), 15)
  const flash = prices.lookup('gemini-2.5-flash', november)
  t.equal(usd(flash?.rates.input.audio), 1)
  t.equal(usd(flash?.rates.cached.audio), 0.1)
  t.equal(flash?.long, null)
  t.equal(usd(prices.lookup('gemini-3.1-flash-image-preview', november)?.rates.output?.image), 60)
  t.equal(usd(prices.lookup('gemini-embedding-2', november)?.rates.input.video), 12)
})

t.test('a price changes on its day and not a moment earlier', async (t) => {
  const prices = createPrices()
  const input = (model: string, at: string) => usd(prices.lookup(model, Date.parse(at))?.rates.input.text)
  t.equal(input('gemini-4-argon', '2026-11-30T23:59:59.999Z'), 2)
  t.equal(input('gemini-4-argon', '2026-12-01T00:00:00Z'), 4)
  for (const model of ['gemini-3.6-flash', 'gemini-3.7-flash', 'gemini-3.8-flash']) {
    t.equal(input(model, '2026-12-31T23:59:59.999Z'), 0.75, model)
    t.equal(input(model, '2027-01-01T00:00:00Z'), 1.5, model)
  }
})

t.test('a model is known by its path, its version and its alias', async (t) => {
  const prices = createPrices({ aliases: { ours: 'gemini-2.5-pro' } })
  const name = (model: string) => prices.lookup(model, november)?.model
  t.equal(name('models/gemini-2.5-flash'), 'gemini-2.5-flash')
  t.equal(name('projects/p/locations/global/publishers/google/models/gemini-2.5-flash'), 'gemini-2.5-flash')
  t.equal(name('gemini-2.0-flash-001'), 'gemini-2.0-flash')
  t.equal(name('gemini-flash-latest'), 'gemini-3.6-flash')
  t.equal(name('ours'), 'gemini-2.5-pro')
})

t.test('an unknown model has no price, never a price of zero, and is told of', async (t) => {
  const told: string[] = []
  const prices = createPrices({ onUnpriced: (model) => told.push(model) })
  t.equal(prices.lookup('gemini-9-ultra', november), null)
  t.equal(prices.lookup('gemini-9-ultra', november), null)
  t.equal(prices.lookup('', november), null)
  t.same(told, ['gemini-9-ultra'], 'once a day')
})

t.test('the default price applies to unknown models only and says that it is a default', async (t) => {
  const prices = createPrices({ defaultUsdPerThousand: 0.001 })
  const guessed = prices.lookup('gemini-9-ultra', november)
  t.equal(guessed?.kind, 'default')
  t.equal(usd(guessed?.rates.input.text), 1)
  t.equal(usd(guessed?.rates.output?.text), 1)
  t.equal(prices.lookup('gemini-2.5-pro', november)?.kind, 'table')
})

t.test('a model that is published as free is free, and not unknown', async (t) => {
  const gemma = createPrices().lookup('gemma-3-27b-it', november)
  t.equal(gemma?.kind, 'table')
  t.equal(gemma?.rates.input.text, 0)
})

t.test('prices of ops win, by date, exact name and tier', async (t) => {
  const prices = createPrices({
    overrides: [
      { model: 'gemini-2.5-*', usdPerMillion: { input: 9, output: 9 } },
      { model: 'gemini-2.5-pro', usdPerMillion: { input: 1, output: 8 }, above: 100, usdPerMillionAbove: { input: 3 } },
      { model: 'gemini-2.5-pro', from: '2026-12-01', usdPerMillion: { input: 0.5, output: 4 } },
      { model: 'gemini-2.5-pro', tier: 'priority', usdPerMillion: { input: 7, output: 70 } },
    ],
  })
  const pro = prices.lookup('gemini-2.5-pro', november)
  t.equal(pro?.kind, 'override')
  t.equal(usd(pro?.rates.input.text), 1)
  t.equal(usd(pro?.long?.rates.input.text), 3)
  t.equal(usd(pro?.long?.rates.output?.text), 8, 'what the long row leaves out stays')
  t.equal(usd(pro?.byTier.priority?.rates.output?.text), 70)
  t.equal(usd(prices.lookup('gemini-2.5-pro', Date.parse('2026-12-01'))?.rates.input.text), 0.5)
  t.equal(usd(prices.lookup('gemini-2.5-flash', november)?.rates.input.text), 9)
  t.match(prices.version, /gateway\.yaml/)
})

t.test('client-chosen names do not fill the memory', async (t) => {
  const prices = createPrices()
  const names = Array.from({ length: 2_000 }, (_, index) => `made-up-${index}`)
  t.ok(names.every((name) => prices.lookup(name, november) === null))
  t.equal(usd(prices.lookup('gemini-2.5-pro', november)?.rates.input.text), 1.25)
})

t.test('every row of the overlay has a source, a day of reading and a sane price', async (t) => {
  const overlay: Overlay = priceOverlay
  const rows = [...overlay.models, ...overlay.tiers, ...overlay.grounding, ...overlay.storage, ...overlay.aliases]
  for (const row of rows) {
    t.ok(row.source, JSON.stringify(row))
    t.match(row.read, /^\d{4}-\d{2}-\d{2}$/)
  }
  for (const row of overlay.models) {
    for (const value of Object.values(row.usdPerMillion)) t.ok(value >= 0 && value < 1000, row.model)
    if (row.from) t.notOk(Number.isNaN(Date.parse(row.from)))
  }
})

t.test('grounding and storage follow the family, the longest prefix first', async (t) => {
  const prices = createPrices()
  t.same(prices.lookup('gemini-2.5-flash', november)?.grounding, { per: 'prompt', nanoUsd: 35_000_000 })
  t.same(prices.lookup('gemini-3.5-flash', november)?.grounding, { per: 'query', nanoUsd: 14_000_000 })
  t.equal(usd(prices.lookup('gemini-2.5-pro', november)?.storage ?? undefined), 4.5)
  t.equal(prices.lookup('gemini-3.5-flash-lite', november)?.storage, null)
})

t.test('the tier is the one that was served, whatever dialect names it', async (t) => {
  t.equal(servedTier(undefined), 'standard')
  t.equal(servedTier('standard'), 'standard')
  t.equal(servedTier('priority'), 'priority')
  t.equal(servedTier('SERVICE_TIER_FLEX'), 'flex')
  t.equal(servedTier('ON_DEMAND'), 'standard')
  t.equal(servedTier('ON_DEMAND_PRIORITY'), 'priority')
  t.equal(servedTier('PROVISIONED_THROUGHPUT'), 'provisioned')
  t.equal(servedTier('turbo'), 'other')
})
