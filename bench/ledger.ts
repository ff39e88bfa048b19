/**
 * Ten million calls over a year, as the ledger keeps them: the size of the file, and the time of a report over 30 days.
 * `node bench/ledger.ts [calls] [days]`. The rollups are written as the ledger would have left them, since booking ten
 * million events one by one would take minutes; the events of the last week are booked for real, and timed.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCalendar } from '../src/schedule/calendar.ts'
import { dimensionNames, noSavings, type UsageEvent, zeroTokens } from '../src/usage/event.ts'
import { addSample } from '../src/usage/histogram.ts'
import { openJournal } from '../src/usage/journal.ts'
import { openLedgerFile, statements } from '../src/usage/ledger-schema.ts'
import { createSqliteLedger } from '../src/usage/ledger-sqlite.ts'
import { measuresOf } from '../src/usage/measure.ts'
import { createReport } from '../src/usage/report.ts'
import { addToSums, noSums, putValues, type Sums } from '../src/usage/sums.ts'

const calls = Number(process.argv[2] ?? 10_000_000)
const days = Number(process.argv[3] ?? 365)
const dayMs = 86_400_000
const hourMs = 3_600_000
const end = Date.parse('2026-11-20T00:00:00Z')
const calendar = createCalendar('UTC')
const retention = { eventDays: 7, hourDays: 35, dayDays: 1830 }
const random = mulberry(42)
const dir = mkdtempSync(join(tmpdir(), 'castor-ledger-'))

/** A traffic of 12 clients, 6 interaction types and 3 models; what is rare is rare. */
function anyEvent(index: number, atMs: number): UsageEvent {
  const tenant = `client-${skewed(12)}`
  const model = ['gemini-3.6-flash', 'gemini-2.5-flash', 'gemini-2.5-pro'][skewed(3)] ?? ''
  const luck = random()
  const source = luck < 0.3 ? 'exact' : luck < 0.4 ? 'semantic' : luck < 0.42 ? 'coalesced' : 'upstream'
  const failed = source === 'upstream' && random() < 0.02
  const prompt = Math.round(500 + random() * 4000)
  const output = Math.round(50 + random() * 500)
  const cost = source === 'upstream' && !failed ? prompt * 300 + output * 2500 : 0
  return {
    requestId: `bench-${index.toString(36)}`,
    attempt: source === 'upstream' ? 1 : 0,
    final: true,
    atMs,
    status: failed ? 503 : 200,
    tenant,
    tags: `team=${tenant.slice(-1)}`,
    interaction: `type-${skewed(6)}`,
    operation: random() < 0.6 ? 'generateContent' : 'streamGenerateContent',
    modelAsked: model,
    modelServed: source === 'upstream' ? model : '',
    tier: 'standard',
    source,
    outcome: failed ? 'upstream_error' : 'completed',
    error: failed ? 'UNAVAILABLE' : '',
    cache: source === 'upstream' ? 'miss' : 'hit',
    purpose: 'client',
    tokens: cost > 0 ? { ...zeroTokens, prompt, candidates: output } : zeroTokens,
    usageSource: cost > 0 ? 'reported' : 'none',
    cost: { total: cost, input: prompt * 300, cached: 0, output: output * 2500, thoughts: 0, toolUse: 0, grounding: 0 },
    priceKind: 'table',
    priceVersion: 'bench',
    longContext: false,
    groundingQueries: 0,
    savings: source === 'exact' ? { ...noSavings, exact: 1_000_000 } : noSavings,
    providerCacheNanoUsd: 0,
    overheadNanoUsd: 0,
    trimmedTokens: 0,
    savedTokens: 0,
    repeat: false,
    latencyMs: source === 'upstream' ? Math.exp(6 + random() * 3) : 1 + random() * 5,
    firstByteMs: source === 'upstream' ? Math.exp(5 + random() * 2) : 1 + random() * 3,
  }
}

/** Small numbers are common, large ones rare, as with clients. */
function skewed(below: number): number {
  return Math.min(below - 1, Math.floor(random() ** 2 * below))
}

function mulberry(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const path = join(dir, 'usage.sqlite')
const perDay = Math.round(calls / days)

function fill(): { hourRows: number; dayRows: number } {
  const sqlite = openLedgerFile(path, () => {})
  const { db } = sqlite
  const insertKey = db.prepare(statements.insertKey)
  const findKey = db.prepare(statements.findKey)
  const add = {
    usage_hour: db.prepare(statements.putRollup('usage_hour')),
    usage_day: db.prepare(statements.putRollup('usage_day')),
    usage_tenant: db.prepare(statements.putRollup('usage_tenant')),
  }
  const keys = new Map<string, number>()
  const written = { hourRows: 0, dayRows: 0 }

  const keyOf = (event: UsageEvent): number => keyFor(dimensionNames.map((name) => event[name]))
  const tenantKey = (tenant: string): number => keyFor(dimensionNames.map((name) => (name === 'tenant' ? tenant : '')))

  function keyFor(values: string[]): number {
    const known = keys.get(values.join())
    if (known !== undefined) return known
    insertKey.run(...values)
    const id = Number(findKey.get(...values)?.id)
    keys.set(values.join(), id)
    return id
  }

  function write(table: keyof typeof add, bucket: number, events: UsageEvent[]): number {
    const rows = new Map<number, Sums>()
    for (const event of events) {
      const key = table === 'usage_tenant' ? tenantKey(event.tenant) : keyOf(event)
      const sums = rows.get(key) ?? noSums()
      rows.set(key, sums)
      addToSums(sums, measuresOf(event))
      addSample(sums.latency, event.latencyMs ?? Number.NaN)
      addSample(sums.firstByte, event.firstByteMs ?? Number.NaN)
    }
    for (const [key, sums] of rows) add[table].run(bucket, key, ...putValues(sums))
    return rows.size
  }

  for (let day = days; day > 0; day -= 1) {
    const start = end - day * dayMs
    db.exec('BEGIN')
    // Every call of a day is drawn for its day; the last weeks also hour by hour.
    const events = Array.from({ length: perDay }, (_, index) => anyEvent(index, start))
    written.dayRows += write('usage_day', start, events)
    for (let hour = 0; hour < 24; hour += 1) {
      const part = events.filter((_, index) => index % 24 === hour)
      write('usage_tenant', start + hour * hourMs, part)
      if (day <= retention.hourDays) written.hourRows += write('usage_hour', start + hour * hourMs, part)
    }
    db.exec('COMMIT')
  }
  sqlite.close()
  return written
}

const print = (line: string): void => void process.stdout.write(`${line}\n`)
try {
  const rows = fill()
  const ledger = createSqliteLedger({
    open: () => openLedgerFile(path, () => {}),
    journal: openJournal(join(dir, 'journal'), 64_000_000),
    calendar,
    retention,
  })
  const booked = perDay * retention.eventDays
  const started = performance.now()
  for (let index = 0; index < booked; index += 1) {
    ledger.record(anyEvent(1_000_000 + index, end + Math.floor((index / booked) * 20) * hourMs))
    if (index % 200 === 199) await ledger.flush()
  }
  await ledger.flush()
  const perEvent = ((performance.now() - started) * 1000) / booked

  const times: number[] = []
  const cpuTimes: number[] = []
  for (let run = 0; run < 5; run += 1) {
    const before = performance.now()
    const cpuBefore = process.cpuUsage()
    const report = await createReport({ days: 30, completeDays: true }, { ledger, calendar, now: () => end + 1 })
    times.push(performance.now() - before)
    const cpu = process.cpuUsage(cpuBefore)
    cpuTimes.push((cpu.user + cpu.system) / 1000)
    if (report.headline.calls !== perDay * 30)
      throw new Error(`${report.headline.calls} calls instead of ${perDay * 30}`)
  }
  await ledger.close()
  const megabytes = statSync(path).size / 1e6
  const median = times.sort((a, b) => a - b)[2] ?? Number.NaN
  print(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}`)
  print(
    `${calls.toLocaleString('en')} calls over ${days} days: ${rows.dayRows} day rows, ${rows.hourRows} hour rows, ${booked} events`,
  )
  const cpuMedian = cpuTimes.sort((a, b) => a - b)[2] ?? Number.NaN
  print(
    `file ${megabytes.toFixed(0)} MB (must: < 200) · report of 30 days ${median.toFixed(0)} ms (must: < 300), ${cpuMedian.toFixed(0)} ms of it CPU`,
  )
  print(`booking one event, journal and commits included: ${perEvent.toFixed(0)} µs`)
  if (megabytes >= 200 || median >= 300) process.exitCode = 1
} finally {
  rmSync(dir, { recursive: true, force: true })
}
