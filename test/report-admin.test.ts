/** Status, reports, suggestions, export and jobs through the admin API of a real gateway. */
import t from 'tap'
import { parseCsv } from '../src/usage/csv.ts'
import type { UsageEvent } from '../src/usage/event.ts'
import { type Gateway, gateway, until } from './helper.ts'
import { startSmtp } from './smtp.ts'

const prefix = '/api/ai-engine/optimization'

interface Answer {
  status: number
  headers: Headers
  text: string
  json: Record<string, unknown>
}

async function call({ url }: Gateway, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(url + prefix + path, {
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    headers: { 'content-type': 'application/json' },
  })
  const text = await response.text()
  const isJson = /json/.test(response.headers.get('content-type') ?? '')
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : {} }
}

/** Asks something through the gateway and waits until it is booked. */
async function traffic(house: Gateway, headers: Record<string, string> = {}, model = 'gemini-2.5-flash') {
  const before = house.log.filter(({ msg }) => msg === 'request').length
  const response = await fetch(`${house.url}/v1beta/models/${encodeURIComponent(model)}:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': 'key-a', 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ contents: [{ parts: [{ text: 'Who was Castor?' }] }] }),
  })
  await response.arrayBuffer()
  await until(() => house.log.filter(({ msg }) => msg === 'request').length > before)
}

t.test('status shows the figures of the books, each graded against its target', async (t) => {
  const house = await gateway(t)
  await traffic(house)
  await traffic(house)
  const { status, json } = await call(house, '/status/?days=7')
  t.equal(status, 200)
  t.match(json, {
    status: 'ok',
    period: { days: 7, zone: 'UTC' },
    headline: { calls: 2 },
    calls: { interactions: 2, succeeded: 2, errorRate: 0 },
    grades: {
      errorRate: { value: 0, grade: 'excellent', target: '< 5 %, excellent < 1 %' },
      responseMs: { grade: 'excellent' },
      costPerInteractionUsd: { grade: /excellent|good/ },
      hitRate: { value: null, grade: 'none' },
    },
  })
  t.equal((await call(house, '/status')).status, 200, 'without days and without the last slash too')
})

t.test('days that are none are refused, and the field is named', async (t) => {
  const house = await gateway(t)
  for (const days of ['0', '-1', '99999999999', '1.5', 'seven', '', '1e3', '0x7']) {
    for (const path of ['/status/', '/suggestions/', '/usage/export/']) {
      const { status, json } = await call(house, `${path}?days=${days}`)
      t.equal(status, 400, `${path} ${days}`)
      t.match(json, {
        error: { details: [{ reason: 'CASTOR_BAD_PARAMETER' }, { fieldViolations: [{ field: 'days' }] }] },
      })
    }
  }
  for (const days of [0, -1, 1e12, 1.5, '7', null, true, [7]]) {
    const { status, json } = await call(house, '/report/generate/', { days })
    t.equal(status, 400, JSON.stringify(days))
    t.match(JSON.stringify(json), /days/)
  }
})

t.test('a report comes in each of its forms, and other forms are refused', async (t) => {
  const house = await gateway(t)
  await traffic(house)
  const types = { json: /json/, text: /^text\/plain/, html: /^text\/html/, csv: /^text\/csv/ }
  for (const [format, type] of Object.entries(types)) {
    const { status, headers, text } = await call(house, '/report/generate/', { days: 1, format })
    t.equal(status, 200)
    t.match(headers.get('content-type'), type)
    t.match(text, format === 'json' ? /"headline"/ : format === 'csv' ? /^from,to,section/ : /Castor usage report/)
  }
  const { status, json } = await call(house, '/report/generate/', { format: 'pdf' })
  t.equal(status, 400)
  t.match(json, { error: { message: /format.*"json", "text", "html", "csv"/ } })
})

t.test('a report goes out by mail as text, HTML and CSV, and tells who was refused', async (t) => {
  const smtp = await startSmtp((address) => address === 'gone@example.com')
  t.teardown(() => smtp.close())
  const house = await gateway(t, `mail: { host: 127.0.0.1, port: ${smtp.port}, from: castor@example.com }`)
  await traffic(house)
  const to = ['owner@example.com', 'gone@example.com']
  const { status, json } = await call(house, '/report/generate/', { days: 1, email_recipients: to })
  t.equal(status, 200, JSON.stringify(json))
  t.match(json, { mail: { accepted: ['owner@example.com'], rejected: ['gone@example.com'] } })
  const [mail] = smtp.messages
  t.match(mail, { from: 'castor@example.com', to: ['owner@example.com'] })
  t.match(mail?.text, /Subject: Castor usage report/)
  t.match(mail?.text, /multipart\/alternative/)
  t.match(mail?.text, /filename="?castor-usage-[\d-]+\.csv/)
})

t.test('addresses that are none, and a mail server that is not there, are told apart', async (t) => {
  const house = await gateway(t, 'mail: { host: 127.0.0.1, port: 1, from: castor@example.com }')
  for (const address of ['nobody', 'a@b\r\nBcc: c@d.example', '<a@example.com>', 'a@example.com, b@example.com', '']) {
    const { status, json } = await call(house, '/report/generate/', { email_recipients: [address] })
    t.equal(status, 400, JSON.stringify(address))
    t.match(json, { error: { details: [{}, { fieldViolations: [{ field: /email_recipients/ }] }] } })
  }
  const { status, json } = await call(house, '/report/generate/', { email_recipients: ['a@example.com'] })
  t.equal(status, 502)
  t.match(json, { error: { message: /127\.0\.0\.1:1 cannot be reached/, details: [{ reason: 'CASTOR_MAIL_FAILED' }] } })
  const none = await gateway(t)
  const unset = await call(none, '/report/generate/', { email_recipients: ['a@example.com'] })
  t.match(unset.json, { error: { message: /mail\.host/ } })
})

t.test('names of clients, tags and models cannot become markup, formulas or terminal commands', async (t) => {
  const house = await gateway(t)
  const nasty = ['<img src=x onerror=alert(1)>', '=cmd|calc!A1', '+1+1', '@SUM(A1)', '-2+3']
  for (const value of nasty) await traffic(house, { 'x-castor-tags': `team=${value.replaceAll('=', '%')}` })
  for (const value of nasty) house.app.castor.books?.ledger.record(forged(value))
  const html = (await call(house, '/report/generate/', { format: 'html' })).text
  t.notMatch(html, /<img|<script/i)
  t.match(html, /&lt;img/)
  const text = (await call(house, '/report/generate/', { format: 'text' })).text
  t.notMatch(text, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
  for (const path of ['/usage/export/?days=1', null]) {
    const csv = path === null ? await call(house, '/report/generate/', { format: 'csv' }) : await call(house, path)
    const cells = parseCsv(csv.text).flat()
    t.ok(cells.length > 10)
    t.strictSame(
      cells.filter((cell) => /^\s*[=+@\t\r]/.test(cell) || (/^-/.test(cell) && Number.isNaN(Number(cell)))),
      [],
    )
  }
})

/** A booking as it would be if a model were called like that; Gemini's names cannot be. */
function forged(name: string): UsageEvent {
  return {
    tenant: name,
    tags: `team=${name}`,
    interaction: name,
    operation: 'generateContent',
    modelAsked: name,
    modelServed: `${name}\u001b[2J`,
    tier: 'standard',
    source: 'upstream',
    outcome: 'completed',
    error: '',
    cache: 'off',
    purpose: 'client',
    requestId: `forged ${name}`,
    attempt: 1,
    final: true,
    atMs: Date.now(),
    status: 200,
    tokens: {
      prompt: 10,
      cached: 0,
      candidates: 10,
      thoughts: 0,
      toolUse: 0,
      inputAudio: 0,
      inputImage: 0,
      inputVideo: 0,
      inputDocument: 0,
      outputAudio: 0,
      outputImage: 0,
      outputVideo: 0,
    },
    usageSource: 'reported',
    cost: null,
    priceKind: 'none',
    priceVersion: '',
    longContext: false,
    groundingQueries: 0,
    savings: { exact: 0, semantic: 0, coalesced: 0, tier: 0, trim: 0 },
    providerCacheNanoUsd: 0,
    overheadNanoUsd: 0,
    trimmedTokens: 0,
    savedTokens: 0,
    repeat: false,
    latencyMs: 5,
    firstByteMs: 5,
  }
}

t.test('suggestions name their evidence and the setting to change', async (t) => {
  const house = await gateway(t)
  for (let each = 0; each < 5; each += 1) await traffic(house, {}, 'gemini-9-unpriced')
  const quiet = await call(house, '/suggestions/?days=7')
  t.match(quiet.json, { days: 7, suggestions: [] }, 'nothing was used, so nothing is suggested')
  house.app.castor.books?.ledger.record(forged('gemini-9-new'))
  const { json } = await call(house, '/suggestions/')
  t.match(json.suggestions, [{ rule: 'unpriced-model', evidence: /1 attempts/, change: /prices/ }])
})

t.test('usage is exported as FOCUS rows that add up to the report', async (t) => {
  const house = await gateway(t)
  await traffic(house)
  await traffic(house, {}, 'gemini-2.5-pro')
  const { headers, text } = await call(house, '/usage/export/?format=focus&days=1')
  t.match(headers.get('content-disposition'), /attachment; filename="castor-focus-[\d-]+\.csv"/)
  const [header = [], ...rows] = parseCsv(text)
  const at = header.indexOf('BilledCost')
  const billed = rows.reduce((sum, row) => sum + Number(row[at]), 0)
  const { json } = await call(house, '/status/?days=1')
  const { costUsd } = json.headline as { costUsd: number }
  t.ok(costUsd > 0 && Math.abs(billed - costUsd) < 1e-9)
  t.equal((await call(house, '/usage/export/?format=xlsx')).status, 400)
})

t.test('jobs tell when they run, run on request, and leave their history', async (t) => {
  const smtp = await startSmtp()
  t.teardown(() => smtp.close())
  const house = await gateway(
    t,
    `mail: { host: 127.0.0.1, port: ${smtp.port}, from: castor@example.com, recipients: [owner@example.com] }`,
  )
  const { json } = await call(house, '/jobs/')
  t.match(json, {
    jobs: [
      { name: 'cacheCleanup', pattern: '0 * * * *', last: null },
      { name: 'ledgerSweep' },
      { name: 'dailyReport', pattern: '0 2 * * *', nextAt: /T02:00:00/ },
      { name: 'weeklyReport' },
    ],
  })
  for (const job of ['cacheCleanup', 'ledgerSweep', 'dailyReport', 'weeklyReport']) {
    const run = await call(house, '/jobs/run/', { job })
    t.match(run.json, { job, outcome: 'done' }, JSON.stringify(run.json))
  }
  t.equal(smtp.messages.length, 2)
  t.equal(((await call(house, '/jobs/')).json.history as unknown[]).length, 4)
  t.equal((await call(house, '/jobs/run/', { job: 'nonsense' })).status, 400)
})

t.test('the service health names the books and the jobs', async (t) => {
  const house = await gateway(t)
  const { json } = await call(house, '/service/health/')
  t.match(json, { parts: { usage: { status: 'ok', droppedEvents: 0 }, schedule: { status: 'ok' } } })
})

t.test('without metering the figures are refused, and calls go on', async (t) => {
  const house = await gateway(t, 'metering: { enabled: false }')
  t.match((await call(house, '/status/')).json, {
    error: { code: 503, details: [{ reason: 'CASTOR_USAGE_UNAVAILABLE' }] },
  })
  await traffic(house)
  t.equal(house.emulator.count(), 1)
})
