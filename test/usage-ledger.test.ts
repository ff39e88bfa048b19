import { join } from 'node:path'
import t from 'tap'
import { createCalendar } from '../src/schedule/calendar.ts'
import { countSamples, createHistogram, percentile } from '../src/usage/histogram.ts'
import { openJournal } from '../src/usage/journal.ts'
import { openLedgerFile } from '../src/usage/ledger-schema.ts'
import { createPrices } from '../src/usage/prices.ts'
import { book, eventsOf, noon, openLedger, prices, usageOf, utc } from './usage-traffic.ts'

const hour = 3_600_000
const day = 24 * hour
const wide = { fromMs: noon - 400 * day, toMs: noon + 400 * day }
const plain = { attempts: [{ usage: usageOf({ promptTokens: 1000, candidateTokens: 100 }) }] }

t.test('sums by dimensions, by day and by hour agree', async (t) => {
  const ledger = openLedger()
  book(ledger, 3, { ...plain, tenant: 'a' })
  book(ledger, 2, { ...plain, tenant: 'b', atMs: noon + day })
  book(ledger, 1, { tenant: 'b', atMs: noon + day + hour })
  const byDimensions = await ledger.read({ ...wide, by: 'dimensions' })
  const byDay = await ledger.read({ ...wide, by: 'day' })
  const byHour = await ledger.read({ ...wide, by: 'hour' })
  t.same(
    byDimensions.map((row) => [row.dimensions?.tenant, row.dimensions?.source, row.measures.calls]),
    [
      ['a', 'upstream', 3],
      ['b', 'upstream', 2],
      ['b', 'exact', 1],
    ],
  )
  t.same(
    byDay.map((row) => [row.bucketMs, row.measures.calls, row.measures.cost]),
    [
      [utc.dayStart(noon), 3, 3 * 550_000],
      [utc.dayStart(noon + day), 3, 2 * 550_000],
    ],
  )
  t.same(
    byHour.map((row) => [row.bucketMs, row.measures.calls]),
    [
      [noon, 3],
      [noon + day, 2],
      [noon + day + hour, 1],
    ],
  )
  await ledger.close()
})

t.test('a range inside a day is read by the hour', async (t) => {
  const ledger = openLedger()
  book(ledger, 1, { ...plain, atMs: noon })
  book(ledger, 1, { ...plain, atMs: noon + 2 * hour })
  const calls = async (fromMs: number, toMs: number) =>
    (await ledger.read({ fromMs, toMs, by: 'dimensions' })).reduce((sum, row) => sum + row.measures.calls, 0)
  t.equal(await calls(noon, noon + hour), 1)
  t.equal(await calls(noon + hour, noon + 3 * hour), 1)
  t.equal(await calls(noon - 2 * day, noon + hour), 1, 'whole days and the hours of the last one')
  t.equal(await calls(noon + hour, noon + 3 * day), 1, 'the hours of the first day and whole ones')
  t.equal(await calls(noon, noon), 0)
  await ledger.close()
})

t.test('days are those of the zone', async (t) => {
  const calendar = createCalendar('Asia/Kolkata')
  const ledger = openLedger({ calendar })
  book(ledger, 1, { ...plain, atMs: Date.parse('2026-11-20T18:29:59Z') })
  book(ledger, 1, { ...plain, atMs: Date.parse('2026-11-20T18:30:00Z') })
  const rows = await ledger.read({ ...wide, by: 'day' })
  t.same(
    rows.map((row) => calendar.date(row.bucketMs ?? 0)),
    ['2026-11-20', '2026-11-21'],
  )
  await ledger.close()
})

t.test('an event that is delivered twice counts once', async (t) => {
  const ledger = openLedger()
  const [event] = eventsOf(plain)
  if (!event) throw new Error('no event')
  ledger.record(event)
  ledger.record({ ...event })
  await ledger.flush()
  ledger.record({ ...event })
  const [row] = await ledger.read({ ...wide, by: 'dimensions' })
  t.equal(row?.measures.calls, 1)
  t.equal(row?.measures.cost, 550_000)
  await ledger.close()
})

t.test('tenants are read apart', async (t) => {
  const ledger = openLedger()
  book(ledger, 2, { ...plain, tenant: 'a' })
  book(ledger, 3, { ...plain, tenant: "b' OR 1=1 --" })
  const [a] = await ledger.read({ ...wide, by: 'day', tenant: 'a' })
  t.equal(a?.measures.calls, 2)
  t.same(await ledger.read({ ...wide, by: 'day', tenant: "x' OR 1=1 --" }), [])
  const recent = await ledger.recent(10, "b' OR 1=1 --")
  t.same(
    recent.map((event) => event.tenant),
    ["b' OR 1=1 --", "b' OR 1=1 --", "b' OR 1=1 --"],
  )
  await ledger.close()
})

t.test('latencies merge over hours and days', async (t) => {
  const ledger = openLedger()
  for (let each = 0; each < 100; each += 1) {
    book(ledger, 1, { ...plain, atMs: noon + (each % 5) * hour, end: { latencyMs: each < 90 ? 200 : 5_000 } })
  }
  const [row] = await ledger.read({ ...wide, by: 'dimensions' })
  t.ok(Math.abs((percentile(row?.latency ?? createHistogram(), 0.5) ?? 0) - 200) < 5)
  t.ok(Math.abs((percentile(row?.latency ?? createHistogram(), 0.95) ?? 0) - 5_000) < 120)
  const [bare] = await ledger.read({ ...wide, by: 'dimensions', detail: 'sums' })
  t.equal(countSamples(bare?.latency ?? createHistogram()), 0)
  await ledger.close()
})

t.test('recent events come newest first and hold no content', async (t) => {
  const ledger = openLedger()
  book(ledger, 1, { ...plain, atMs: noon })
  book(ledger, 1, {
    ...plain,
    atMs: noon + 5_000,
    attempts: [{ outcome: 'rate_limited', status: 429, error: 'RESOURCE_EXHAUSTED' }],
  })
  const recent = await ledger.recent(5)
  t.same(
    recent.map((event) => event.atMs),
    [noon + 5_000, noon],
  )
  t.match(recent[0], { status: 200, outcome: 'rate_limited', error: 'RESOURCE_EXHAUSTED' })
  await ledger.close()
})

t.test('each grain is kept as long as the retention says', async (t) => {
  const ledger = openLedger({ retention: { eventDays: 7, hourDays: 30, dayDays: 300 } })
  for (const ago of [0, 10, 40, 350]) book(ledger, 1, { ...plain, atMs: noon - ago * day })
  await ledger.flush()
  t.equal(await ledger.sweep(noon), 3 + 2 + 1 + 1)
  t.equal((await ledger.recent(10)).length, 1)
  t.equal((await ledger.read({ fromMs: noon - 10 * day, toMs: noon - 10 * day + hour, by: 'dimensions' })).length, 1)
  t.equal((await ledger.read({ fromMs: noon - 40 * day, toMs: noon - 40 * day + hour, by: 'dimensions' })).length, 0)
  t.equal((await ledger.read({ ...wide, by: 'day' })).length, 3)
  await ledger.close()
})

t.test('a flood of client-chosen tags folds into other and is counted', async (t) => {
  const ledger = openLedger({ maxCombinations: 10 })
  for (let each = 0; each < 50; each += 1) book(ledger, 1, { ...plain, tags: `id=${each}` })
  const rows = await ledger.read({ ...wide, by: 'dimensions' })
  t.equal(rows.length, 11)
  t.equal(
    rows.reduce((sum, row) => sum + row.measures.calls, 0),
    50,
    'no call is lost by it',
  )
  t.equal(ledger.state().folded, 40)
  await ledger.close()
})

t.test('while the store is away events wait within bounds, and are booked when it is back', async (t) => {
  const dir = t.testdir()
  const database = join(dir, 'usage.sqlite')
  let away = true
  const ledger = openLedger({
    open: () => {
      if (away) throw new Error('disk on fire')
      return openLedgerFile(database, () => {})
    },
    journal: openJournal(join(dir, 'journal'), 10_000_000),
    maxPending: 20,
  })
  book(ledger, 100, plain)
  await t.rejects(ledger.flush(), /disk on fire/)
  t.match(ledger.state(), { failing: true, lastError: 'disk on fire', dropped: 0 })
  t.ok(ledger.state().pending <= 20, 'the memory is bounded')
  away = false
  await ledger.flush()
  const [row] = await ledger.read({ ...wide, by: 'day' })
  t.equal(row?.measures.calls, 100, 'the journal had the rest')
  t.match(ledger.state(), { failing: false, pending: 0, dropped: 0 })
  await ledger.close()
})

t.test('without a journal the oldest events are dropped and counted', async (t) => {
  const ledger = openLedger({
    open: () => {
      throw new Error('away')
    },
    maxPending: 20,
  })
  book(ledger, 100, plain)
  const { pending, dropped } = ledger.state()
  t.equal(pending + dropped, 100)
  t.ok(pending <= 20)
  await t.rejects(ledger.close(), /away/)
})

t.test('an event no table can take is dropped and counted, and keeps no other out', async (t) => {
  const errors: unknown[] = []
  const ledger = openLedger({ onError: (error) => errors.push(error) })
  const [event] = eventsOf(plain)
  if (!event) throw new Error('no event')
  book(ledger, 2, plain)
  ledger.record({ ...event, requestId: 'nan', atMs: noon, status: Number.NaN })
  ledger.record({ ...event, requestId: undefined as unknown as string })
  book(ledger, 2, plain)
  await ledger.flush()
  const [row] = await ledger.read({ ...wide, by: 'day' })
  t.equal(row?.measures.calls, 4)
  t.match(ledger.state(), { dropped: 2, failing: false, pending: 0 })
  t.equal(errors.length, 2)
  await ledger.close()
})

t.test('a steady stream of events cannot put the commit off', async (t) => {
  const ledger = openLedger({ commitRows: 10, commitMs: 60_000 })
  const hold = setInterval(() => {}, 1)
  for (let turn = 0; turn < 2_000 && ledger.state().lastCommitMs === null; turn += 1) {
    book(ledger, 1, plain)
    await new Promise((resolve) => setImmediate(resolve))
  }
  clearInterval(hold)
  t.not(ledger.state().lastCommitMs, null)
  await ledger.close()
})

t.test('combinations nobody refers to any more are forgotten', async (t) => {
  const ledger = openLedger({ retention: { eventDays: 1, hourDays: 1, dayDays: 1 } })
  book(ledger, 1, { ...plain, tags: 'old=1', atMs: noon - 10 * day })
  book(ledger, 1, { ...plain, tags: 'new=1' })
  await ledger.flush()
  await ledger.sweep(noon)
  book(ledger, 1, { ...plain, tags: 'newer=1' })
  book(ledger, 1, { ...plain, tags: 'new=1' })
  const rows = await ledger.read({ ...wide, by: 'dimensions' })
  t.same(rows.map((row) => [row.dimensions?.tags, row.measures.calls]).sort(), [
    ['new=1', 2],
    ['newer=1', 1],
  ])
  await ledger.close()
})

t.test('a correction of prices reprices kept events and their sums', async (t) => {
  const ledger = openLedger({ calendar: createCalendar('Europe/Berlin') })
  const usage = usageOf({ promptTokens: 1000, candidateTokens: 100 })
  book(ledger, 3, { model: 'gemini-9-ultra', attempts: [{ usage }] })
  book(ledger, 2, plain)
  book(ledger, 1, {})
  const before = await ledger.read({ ...wide, by: 'day' })
  t.match(before[0]?.measures, { unpricedAttempts: 3, cost: 2 * 550_000 })
  const corrected = createPrices({ overrides: [{ model: 'gemini-9-ultra', usdPerMillion: { input: 1, output: 10 } }] })
  const result = await ledger.reprice?.(noon - day, noon + day, corrected)
  t.same(result, { events: 6, changed: 3, differenceNanoUsd: 3 * 2_000_000 })
  for (const by of ['day', 'hour'] as const) {
    const [row] = await ledger.read({ ...wide, by })
    t.match(row?.measures, {
      unpricedAttempts: 0,
      cost: 2 * 550_000 + 3 * 2_000_000,
      costOutput: 2 * 250_000 + 3_000_000,
    })
  }
  const [event] = await ledger.recent(1)
  t.equal(event?.priceKind, 'none', 'a hit stays without a price')
  t.match(await ledger.reprice?.(noon - day, noon + day, corrected), { changed: 0 }, 'again changes nothing')
  t.match(await ledger.reprice?.(noon - 9 * day, noon - 8 * day, prices), { events: 0 })
  await ledger.close()
})
