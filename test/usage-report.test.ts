import fc from 'fast-check'
import t from 'tap'
import { createCalendar } from '../src/schedule/calendar.ts'
import { csvLine, parseCsv } from '../src/usage/csv.ts'
import { BadDays, readDays } from '../src/usage/days.ts'
import { grade, thresholds } from '../src/usage/grade.ts'
import { createReport, periodOf } from '../src/usage/report.ts'
import { reportCsv } from '../src/usage/report-csv.ts'
import { reportHtml } from '../src/usage/report-html.ts'
import { reportText } from '../src/usage/report-text.ts'
import { money } from '../src/usage/words.ts'
import { book, noon, openLedger, type Traffic, usageOf, utc } from './usage-traffic.ts'

const day = 86_400_000
const usage = usageOf({ promptTokens: 1000, candidateTokens: 100, thoughtTokens: 50 })
const paid: Traffic = { attempts: [{ usage }] }
const each = 1000 * 300 + 150 * 2500

async function reportOn(traffic: [number, Traffic][], request = { days: 7 }, calendar = utc) {
  const ledger = openLedger({ calendar })
  for (const [times, one] of traffic) book(ledger, times, one)
  const report = await createReport(request, { ledger, calendar, now: () => noon })
  await ledger.close()
  return report
}

t.test('the headline compares with the period before', async (t) => {
  const report = await reportOn([
    [3, paid],
    [2, { ...paid, atMs: noon - 7 * day }],
    [9, { ...paid, atMs: noon - 20 * day }],
  ])
  t.match(report.headline, { calls: 3, callsChange: 0.5, costChange: 0.5 })
  t.equal(report.headline.costUsd, (3 * each) / 1e9)
  t.equal(report.headline.previousCostUsd, (2 * each) / 1e9)
  t.equal(report.from, '2026-11-14')
  t.equal(report.to, '2026-11-20')
})

t.test('rates, shares and grades come from the calls that count for them', async (t) => {
  const report = await reportOn([
    [70, { end: { source: 'exact', savings: { exact: 1_000_000 }, savedTokens: 1150 } }],
    [20, { ...paid, end: { cache: 'miss' } }],
    [10, { ...paid, end: { cache: 'sampling' } }],
    [
      4,
      {
        attempts: [{ outcome: 'upstream_error', status: 503, error: 'UNAVAILABLE' }],
        end: { source: 'none', status: 503 },
      },
    ],
    [1, { end: { source: 'none', outcome: 'refused', status: 429, error: 'CASTOR_BUDGET' } }],
    [50, { operation: 'countTokens', attempts: [{}], end: { latencyMs: 5 } }],
  ])
  t.equal(report.cache.hitRate, 70 / 90)
  t.match(report.cache, { hits: 70, misses: 20, bypassed: { sampling: 10 } })
  t.equal(report.calls.total, 155)
  t.equal(report.calls.interactions, 105)
  t.equal(report.calls.errorRate, 4 / 155)
  t.match(report.calls, { refused: 1, failed: 4 })
  t.match(report.grades.hitRate, { grade: 'good' })
  t.match(report.grades.errorRate, { grade: 'good' })
  t.match(report.grades.responseMs, { grade: 'excellent' })
  t.ok((report.latency.p50Ms ?? 0) > 400, 'free calls do not make the response time look good')
  t.equal(report.savings.exact, 0.07)
  t.equal(report.savings.net, 0.07)
  t.same(
    report.errors.map((pattern) => [pattern.outcome, pattern.error, pattern.count]),
    [
      ['upstream_error', 'UNAVAILABLE', 4],
      ['refused', 'CASTOR_BUDGET', 1],
    ],
  )
})

t.test('breakdowns add up to the whole', async (t) => {
  const report = await reportOn([
    [3, { ...paid, tenant: 'a', tags: 'team=x', interaction: 'chat' }],
    [2, { ...paid, tenant: 'b', model: 'gemini-2.5-pro' }],
    [1, { tenant: 'b', end: { savings: { exact: 5 } } }],
    [
      1,
      {
        purpose: 'embedding',
        operation: 'embedContent',
        model: 'gemini-embedding-001',
        attempts: [{ usage: usageOf({ promptTokens: 900 }) }],
      },
    ],
  ])
  for (const kind of ['model', 'tenant', 'interaction', 'operation', 'tier', 'source'] as const) {
    const sum = report.by[kind].reduce((total, group) => total + group.costUsd, 0)
    t.ok(Math.abs(sum - report.cost.total) < 1e-9, kind)
  }
  const parts = report.cost.input + report.cost.cached + report.cost.output + report.cost.thoughts + report.cost.toolUse
  t.ok(Math.abs(parts + report.cost.grounding - report.cost.total) < 1e-9)
  t.same(
    report.by.tag.map((group) => [group.name, group.calls]),
    [['team=x', 3]],
  )
  t.equal(
    report.byDay.reduce((sum, point) => sum + point.calls, 0),
    6,
  )
  t.equal(report.byHour[12]?.calls, 6)
  t.equal(report.savings.overhead, (900 * 150) / 1e9)
})

t.test('the many are cut to a few, and the rest is named other', async (t) => {
  const report = await reportOn(Array.from({ length: 40 }, (_, index) => [1, { ...paid, tenant: `t${index}` }]))
  t.equal(report.by.tenant.length, 21)
  t.match(report.by.tenant.at(-1), { name: 'other', calls: 20 })
})

t.test('waste, estimates and missing prices are shown', async (t) => {
  const report = await reportOn([
    [2, { attempts: [{ outcome: 'client_abort', sentBytes: 4000 }] }],
    [1, { model: 'gemini-9-ultra', attempts: [{ usage }] }],
    [1, { attempts: [{ outcome: 'upstream_broken', usage: { ...usage, source: 'partial' } }, { usage }] }],
  ])
  t.match(report.quality, { estimatedAttempts: 2, partialAttempts: 1, unpricedAttempts: 1 })
  t.same(report.waste.byOutcome, [
    { outcome: 'upstream_broken', usd: each / 1e9 },
    { outcome: 'client_abort', usd: 600_000 / 1e9 },
  ])
  t.equal(report.waste.retriesUsd, each / 1e9)
  t.ok((report.quality.estimatedShare ?? 0) > 0.5)
})

t.test('one client sees nothing of another', async (t) => {
  const ledger = openLedger()
  book(ledger, 2, { ...paid, tenant: 'a' })
  book(ledger, 5, { ...paid, tenant: 'secret-b' })
  const report = await createReport({ days: 7, tenant: 'a' }, { ledger, calendar: utc, now: () => noon })
  t.equal(report.headline.calls, 2)
  t.equal(
    report.byDay.reduce((sum, point) => sum + point.calls, 0),
    2,
  )
  t.notMatch(JSON.stringify(report), /secret-b/)
  t.notMatch(reportText(report) + reportHtml(report) + reportCsv(report), /secret-b/)
  await ledger.close()
})

t.test('an empty ledger makes an honest report', async (t) => {
  const report = await reportOn([])
  t.match(report.grades, { hitRate: { value: null, grade: 'none' }, responseMs: { grade: 'none' } })
  t.equal(report.headline.costChange, null)
  t.match(reportText(report), /no data/)
  t.notMatch(reportText(report) + reportHtml(report) + reportCsv(report), /NaN|Infinity|undefined/)
})

t.test('days are calendar days of the zone, 23 and 25 hours included', async (t) => {
  const berlin = createCalendar('Europe/Berlin')
  const spring = periodOf({ days: 1, completeDays: true }, berlin, Date.parse('2026-03-30T02:00:00+02:00'))
  t.equal(spring.toMs - spring.fromMs, 23 * 3_600_000)
  const autumn = periodOf({ days: 7, completeDays: true }, berlin, Date.parse('2026-10-26T02:00:00+01:00'))
  t.equal(autumn.toMs - autumn.fromMs, (7 * 24 + 1) * 3_600_000)
  t.equal(berlin.date(autumn.fromMs), '2026-10-19')
  const running = periodOf({ days: 1 }, berlin, Date.parse('2026-11-20T15:00:00+01:00'))
  t.equal(running.fromMs, Date.parse('2026-11-20T00:00:00+01:00'))
})

t.test('the forecast is the month so far and the rest like the period', async (t) => {
  const report = await reportOn([[10, paid]], { days: 20 })
  // Ten calls in 19.5 of 30 days.
  const expected = ((10 * each) / 1e9) * (30 / 19.5)
  t.ok(Math.abs(report.headline.monthForecastUsd - expected) < expected * 0.001)
})

t.test('days are read strictly and explained', async (t) => {
  t.equal(readDays(undefined), 7)
  t.equal(readDays(''), 7)
  t.equal(readDays('30'), 30)
  t.equal(readDays(1), 1)
  for (const bad of ['0', '-1', '1e3', '7 days', '99999', 3661, 1.5, Number.NaN, {}, ['7'], 'NaN', '٧']) {
    t.throws(() => readDays(bad), BadDays, JSON.stringify(bad))
  }
})

t.test('grades follow the thresholds, and the limit itself does not pass', async (t) => {
  t.equal(grade('hitRate', 0.6), 'poor')
  t.equal(grade('hitRate', 0.61), 'good')
  t.equal(grade('hitRate', 0.81), 'excellent')
  t.equal(grade('errorRate', 0.05), 'poor')
  t.equal(grade('errorRate', 0.009), 'excellent')
  t.equal(grade('responseMs', 1_999), 'good')
  t.equal(grade('costPerInteractionUsd', 0.0009), 'excellent')
  t.equal(grade('costPerInteractionUsd', null), 'none')
  t.equal(Object.keys(thresholds).length, 4)
})

t.test('names from outside cannot execute in HTML, in a terminal or in a spreadsheet', async (t) => {
  const report = await reportOn([
    [1, { ...paid, tenant: '<script>alert(1)</script>', interaction: '=HYPERLINK("http://evil","x")' }],
    [1, { ...paid, tenant: '+cmd|calc', tags: '@x=\u001b]0;owned\u0007', model: '"><img src=x onerror=y>' }],
    [1, { attempts: [{ outcome: 'upstream_error', error: '\u202eSTATUS\u001b[2J' }] }],
  ])
  const tags = new Set([...reportHtml(report).matchAll(/<[/!]?([a-z0-9]*)/gi)].map(([, name]) => name))
  t.same([...tags].sort(), ['body', 'doctype', 'h1', 'h2', 'head', 'html', 'meta', 'table', 'td', 'th', 'title', 'tr'])
  t.match(reportHtml(report), /&lt;script&gt;/)
  t.notMatch(reportText(report), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  const texts = parseCsv(reportCsv(report)).flatMap((row) => row.slice(2, 5))
  t.same(
    texts.filter((cell) => /^[=+@-]/.test(cell)),
    [],
  )
  t.match(reportCsv(report), /'=HYPERLINK/)
})

t.test('CSV is read back as it was written', async (t) => {
  const text = fc.string().filter((value) => !/^[\s"']*[=+\-@\t\r]/.test(value) && !value.includes('\r'))
  fc.assert(
    fc.property(fc.array(fc.array(text, { minLength: 2, maxLength: 5 }), { maxLength: 10 }), (rows) => {
      const read = parseCsv(rows.map((row) => csvLine(row)).join(''))
      return JSON.stringify(read) === JSON.stringify(rows)
    }),
  )
  t.equal(csvLine([1e-9, -0.5, 12, null, Number.NaN]), '0.000000001,-0.5,12,,\r\n')
  for (const evil of ['=1+1', '+1', '-1', '@x', '\t=1', ' =1', '"=1']) {
    t.match(parseCsv(csvLine([evil]))[0]?.[0], /^'/, JSON.stringify(evil))
  }
})

t.test('every renderer carries the same figures', async (t) => {
  const report = await reportOn([[1234, paid]])
  const cost = money(report.headline.costUsd)
  t.match(reportText(report), cost)
  t.match(reportHtml(report), cost)
  const rows = parseCsv(reportCsv(report))
  const value = rows.find(([, , section, , measure]) => section === 'headline' && measure === 'costUsd')?.[5]
  t.equal(Number(value), report.headline.costUsd)
  t.match(JSON.parse(JSON.stringify(report)), { headline: { calls: 1234 } })
  t.equal(new Set(rows.map((row) => row.length)).size, 1)
})

t.test('money is written with the digits that tell something', async (t) => {
  t.equal(money(1234.5), '$1,234.50')
  t.equal(money(0.000123456), '$0.00012')
  t.equal(money(-3), '-$3.00')
  t.equal(money(0), '$0.00')
})
