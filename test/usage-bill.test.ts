import t from 'tap'
import { BadBill, readBill } from '../src/usage/bill.ts'
import { parseCsv } from '../src/usage/csv.ts'
import { focusColumns, focusCsv } from '../src/usage/focus.ts'
import { modelOfSku, reconcile } from '../src/usage/reconcile.ts'
import { book, noon, openLedger, prices, usageOf, utc } from './usage-traffic.ts'

const day = 86_400_000
const usage = usageOf({ promptTokens: 1_000_000, cachedTokens: 200_000, candidateTokens: 10_000, thoughtTokens: 5_000 })

async function focusRows(fromMs: number, toMs: number, ledger = openLedger()) {
  let text = ''
  for await (const line of focusCsv(fromMs, toMs, { ledger, calendar: utc, prices })) text += line
  const [header = [], ...rows] = parseCsv(text)
  return { header, rows: rows.map((row) => Object.fromEntries(header.map((name, at) => [name, row[at] ?? '']))) }
}

t.test('FOCUS rows add up to the ledger, meter by meter', async (t) => {
  const ledger = openLedger()
  book(ledger, 2, { tenant: 'a', tags: 'team=x', attempts: [{ usage }] })
  book(ledger, 1, {
    tenant: 'b',
    attempts: [{ usage: usageOf({ promptTokens: 10, groundingQueries: 1 }) }],
    atMs: noon + day,
  })
  book(ledger, 3, { tenant: 'b', end: { savings: { exact: 5_000_000 } } })
  const { header, rows } = await focusRows(noon, noon + day + 1, ledger)
  t.same(header, [...focusColumns])
  const sum = (name: string) => rows.reduce((total, row) => total + Number(row[name]), 0)
  const ledgerRows = await ledger.read({ fromMs: noon - day, toMs: noon + 2 * day, by: 'day' })
  const cost = ledgerRows.reduce((total, row) => total + row.measures.cost, 0)
  t.ok(Math.abs(sum('BilledCost') - cost / 1e9) < 1e-9)
  t.equal(sum('x_Calls'), 6, 'calls are not multiplied by meters')
  t.ok(Math.abs(sum('x_SavedCost') - 0.015) < 1e-12)
  t.same(
    rows
      .filter((row) => row.SubAccountId === 'a')
      .map((row) => [row.SkuMeter, row.ConsumedQuantity, row.ListUnitPrice]),
    [
      ['input', '1600000', '0.3'],
      ['cached input', '400000', '0.03'],
      ['output', '20000', '2.5'],
      ['thinking output', '10000', '2.5'],
    ],
  )
  t.match(rows[0], {
    ChargeCategory: 'Usage',
    ChargePeriodStart: '2026-11-20T00:00:00.000Z',
    ChargePeriodEnd: '2026-11-21T00:00:00.000Z',
    BillingPeriodStart: '2026-11-01T00:00:00.000Z',
    BillingPeriodEnd: '2026-12-01T00:00:00.000Z',
    PricingUnit: '1M Tokens',
    Tags: '{"team":"x"}',
  })
  t.ok(rows.some((row) => row.SkuMeter === 'search grounding' && row.BilledCost === '0.035'))
  t.ok(
    rows.every((row) => row.ChargeCategory === 'Usage'),
    'savings are never credits',
  )
  await ledger.close()
})

t.test('names in FOCUS rows cannot become formulas', async (t) => {
  const ledger = openLedger()
  book(ledger, 1, { tenant: '=1+1', attempts: [{ usage }] })
  const { rows } = await focusRows(noon, noon + 1, ledger)
  t.ok(rows.length > 0 && rows.every((row) => row.SubAccountId === "'=1+1"))
  await ledger.close()
})

const consoleExport = `Invoice number,123
Billing account,ABC

Usage start date,Service description,SKU description,Usage unit,Cost ($),Currency
2026-11-20,Gemini API,Generate content input token count gemini 2.5 flash text,count,"$1,000.60",USD
2026-11-20,Gemini API,Generate content output token count Gemini 2.5 Flash-Lite,count,0.40,USD
2026-11-20,Cloud Storage,Standard Storage US,byte,5.00,USD
,,,Total,1006.00,USD
`

t.test('the console export and the BigQuery export are read', async (t) => {
  t.same(
    readBill(consoleExport).map((line) => [line.date, line.costUsd]),
    [
      ['2026-11-20', 1000.6],
      ['2026-11-20', 0.4],
    ],
  )
  const query =
    'usage_start_time,service_description,sku_description,cost,currency\r\n2026-11-20 08:00:00 UTC,Vertex AI,Gemini 2.5 Pro Input,0.25,USD\r\n'
  t.same(readBill(query), [{ date: '2026-11-20', sku: 'Gemini 2.5 Pro Input', costUsd: 0.25 }])
})

t.test('what is no bill, or not in dollars, is said clearly', async (t) => {
  for (const text of ['', 'a,b\n1,2', '\u0000\u0001', '"unclosed']) t.throws(() => readBill(text), BadBill)
  t.throws(() => readBill(consoleExport.replaceAll('USD', 'EUR')), /EUR/)
})

t.test('a SKU names its model, and the longest name wins', async (t) => {
  const models = ['gemini-2.5-flash', 'gemini-2.5-flash-lite', 'gemini-3-pro-preview', 'gemini-2.0-flash-001']
  t.equal(modelOfSku('Generate content input token count gemini 2.5 flash short', models), 'gemini-2.5-flash')
  t.equal(modelOfSku('Gemini 2.5 Flash-Lite output', models), 'gemini-2.5-flash-lite')
  t.equal(modelOfSku('Gemini 3 Pro Text Input', models), 'gemini-3-pro-preview')
  t.equal(modelOfSku('Gemini 2.0 Flash Text Input', models), 'gemini-2.0-flash-001')
  t.equal(modelOfSku('Gemini 9 Ultra input', models), 'gemini-9-ultra')
  t.equal(modelOfSku('Something else', models), '(other)')
})

t.test('days that match match, and the others are named with what may explain them', async (t) => {
  const ledger = openLedger()
  // 2026-11-20 in Los Angeles begins at 08:00 UTC.
  const inside = Date.parse('2026-11-20T08:00:00Z')
  const flash = { attempts: [{ usage: usageOf({ promptTokens: 10_000_000 }) }] }
  book(ledger, 1, { ...flash, atMs: inside })
  book(ledger, 1, { ...flash, atMs: inside - 1 })
  book(ledger, 1, { model: 'gemini-2.5-pro', attempts: [{ usage: usageOf({ promptTokens: 100_000 }) }], atMs: inside })
  book(ledger, 1, { model: 'gemini-9-ultra', attempts: [{ usage }], atMs: inside })
  const bill = [
    { date: '2026-11-20', sku: 'input gemini 2.5 flash', costUsd: 3.01 },
    { date: '2026-11-20', sku: 'input gemini 2.5 pro', costUsd: 9 },
    { date: '2026-11-20', sku: 'input gemini 9 ultra', costUsd: 1 },
  ]
  const result = await reconcile(bill, { ledger })
  t.same(result.lines.map((line) => [line.model, line.verdict]).sort(), [
    ['gemini-2.5-flash', 'match'],
    ['gemini-2.5-pro', 'bill higher'],
    ['gemini-9-ultra', 'only the bill'],
  ])
  t.match(result.lines.find((line) => line.model === 'gemini-2.5-pro')?.hints, [/around Castor/])
  t.match(result.lines.find((line) => line.model === 'gemini-9-ultra')?.hints, [/no price/])
  t.equal(result.billUsd, 13.01)
  t.ok(Math.abs((result.captured ?? 0) - 3.125 / 13.01) < 1e-9)
  await ledger.close()
})
