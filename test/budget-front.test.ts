/** Budgets through the front door: what clients are told, and that none is overshot by more than one reservation. */
import t from 'tap'
import { type Gateway, gateway, until } from './helper.ts'

const flash = '/v1beta/models/gemini-2.5-flash:generateContent'
const says = (text: string) => ({ contents: [{ role: 'user', parts: [{ text }] }] })

async function ask(
  { url }: Gateway,
  {
    path = flash,
    body = says('Who was Castor?'),
    headers = {},
  }: { path?: string; body?: object; headers?: object } = {},
): Promise<{ status: number; headers: Headers; json: Record<string, never> }> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': 'key-a', ...headers },
    body: JSON.stringify(body),
  })
  return { status: response.status, headers: response.headers, json: JSON.parse(await response.text()) }
}

const settled = ({ arrivals, log }: Gateway) =>
  until(() => log.filter(({ msg }) => msg === 'request').length === arrivals.length)

t.test('a spent budget refuses with 429 in the shape of each dialect, until it begins anew', async (t) => {
  const house = await gateway(t, 'budgets: [{ name: tight, usdPerDay: 0.000001 }]')
  t.equal((await ask(house)).status, 200)
  await settled(house)
  const refused = await ask(house)
  t.equal(refused.status, 429)
  t.match(refused.json, {
    error: {
      code: 429,
      status: 'RESOURCE_EXHAUSTED',
      message: /tight/,
      details: [
        { reason: 'CASTOR_BUDGET_EXCEEDED', domain: 'castor' },
        { violations: [{ quotaId: 'CastorBudgetPerDay' }] },
        { retryDelay: /^\d+s$/ },
      ],
    },
  })
  const wait = Number(refused.headers.get('retry-after'))
  t.ok(wait > 0 && wait <= 86_400, 'it begins anew with the day')
  const openai = { model: 'gemini-2.5-flash', messages: [{ role: 'user', content: 'Hi' }] }
  const other = await ask(house, { path: '/v1beta/openai/chat/completions', body: openai })
  t.equal(other.status, 429)
  t.match(other.json, { error: { type: 'rate_limit_error', code: 'CASTOR_BUDGET_EXCEEDED' } })
  t.equal(house.emulator.count(), 1, 'Gemini was not asked again')
  await settled(house)
  const [event] = (await house.app.castor.books?.ledger.recent(1)) ?? []
  t.match(event, { outcome: 'refused', source: 'none', error: 'CASTOR_BUDGET_EXCEEDED', attempt: 0 })
})

t.test('requests and tokens per minute refuse with the wait until there is room', async (t) => {
  const house = await gateway(t, 'budgets: [{ name: slow, requestsPerMinute: 2 }]')
  t.strictSame([(await ask(house)).status, (await ask(house)).status], [200, 200])
  const refused = await ask(house)
  t.equal(refused.status, 429)
  t.match(refused.json, { error: { details: [{ reason: 'CASTOR_RATE_LIMITED' }] } })
  const wait = Number(refused.headers.get('retry-after'))
  t.ok(wait >= 1 && wait <= 30, 'half a minute is the share of one request')
})

t.test('200 calls at once overshoot a budget by one reservation at most', async (t) => {
  const usd = 0.00005
  const house = await gateway(t, `budgets: [{ name: tight, usdPerDay: ${usd} }]`, { emulator: { firstByteMs: 100 } })
  const text = 'twin '.repeat(40)
  const answers = await Promise.all(Array.from({ length: 200 }, () => ask(house, { body: says(text) })))
  await settled(house)
  const passed = answers.filter(({ status }) => status === 200).length
  const { books } = house.app.castor
  const price = books?.prices.lookup('gemini-2.5-flash', Date.now())
  const tokens = Math.ceil(JSON.stringify(says(text)).length / 4)
  const reservation = (tokens * ((price?.rates.input.text ?? 0) + (price?.rates.output?.text ?? 0))) / 1e6 / 1e9
  t.ok(passed >= 1 && passed <= Math.ceil(usd / reservation) + 1, `${passed} passed`)
  t.equal(answers.filter(({ status }) => status === 429).length, 200 - passed)
  t.equal(house.emulator.count(), passed)
})

t.test('OpenAI calls, whose model stands in the body, reserve before they are sent too', async (t) => {
  const house = await gateway(t, 'budgets: [{ name: tight, usdPerDay: 0.00005 }]', { emulator: { firstByteMs: 100 } })
  const body = { model: 'gemini-2.5-flash', messages: [{ role: 'user', content: 'twin '.repeat(40) }] }
  const answers = await Promise.all(
    Array.from({ length: 30 }, () => ask(house, { path: '/v1beta/openai/chat/completions', body })),
  )
  t.ok(answers.filter(({ status }) => status === 200).length < 5)
})

t.test('from the soft share on answers carry a warning, once there is something spent', async (t) => {
  const house = await gateway(t, 'budgets: [{ name: soft, usdPerDay: 1000, soft: 0.0000001 }]')
  t.equal((await ask(house)).headers.get('x-castor-budget'), null)
  await settled(house)
  const warned = await ask(house)
  t.equal(warned.status, 200)
  t.match(warned.headers.get('x-castor-budget'), /^soft; limit=perDay; used=\d+%$/)
  t.ok(
    house.log.some(({ msg, rule }) => msg === 'a budget is nearly used up' && rule === 'soft'),
    'and the log says so',
  )
})

t.test('degrade goes on with the cheaper model, and the books keep the one that was asked for', async (t) => {
  const house = await gateway(
    t,
    'budgets: [{ name: tight, usdPerDay: 0.000001, atLimit: degrade, degradeTo: gemini-2.5-flash-lite }]',
  )
  await ask(house)
  await settled(house)
  const answer = await ask(house)
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('x-castor-model'), 'gemini-2.5-flash-lite')
  t.match(answer.headers.get('x-castor-budget'), /^tight; limit=perDay/)
  t.equal(house.emulator.calls.at(-1)?.model, 'gemini-2.5-flash-lite')
  await settled(house)
  const [event] = (await house.app.castor.books?.ledger.recent(1)) ?? []
  t.match(event, { modelAsked: 'gemini-2.5-flash', modelServed: 'gemini-2.5-flash-lite', source: 'fallback' })
})

t.test('a budget of each caller leaves the others theirs', async (t) => {
  const house = await gateway(t, "budgets: [{ name: each, tenant: '*', requestsPerMinute: 1 }]")
  t.equal((await ask(house)).status, 200)
  t.equal((await ask(house)).status, 429)
  t.equal((await ask(house, { headers: { 'x-goog-api-key': 'key-b' } })).status, 200)
})

t.test('a budget of a tag counts the calls that carry it', async (t) => {
  const house = await gateway(t, "budgets: [{ name: teams, tag: 'team=*', requestsPerMinute: 1 }]")
  const sales = { 'x-castor-tags': 'team=sales' }
  t.equal((await ask(house, { headers: sales })).status, 200)
  t.equal((await ask(house, { headers: sales })).status, 429)
  t.equal((await ask(house, { headers: { 'x-castor-tags': 'team=legal' } })).status, 200)
  t.equal((await ask(house)).status, 200)
})

t.test('what is answered from memory, refused or left gives its reservation back', async (t) => {
  const house = await gateway(
    t,
    'cache: { mode: on }\nbudgets: [{ name: wide, usdPerDay: 1, tokensPerMinute: 100000 }]',
    {
      emulator: { firstByteMs: 50 },
    },
  )
  await ask(house)
  await ask(house)
  house.emulator.faults.add({ fault: { kind: 'error', error: 'internal' }, times: 1 })
  await ask(house, { body: says('fails') })
  const leaving = new AbortController()
  const left = fetch(house.url + flash, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': 'key-a' },
    body: JSON.stringify(says('left')),
    signal: leaving.signal,
  }).catch(() => null)
  await until(() => house.emulator.count() === 3)
  leaving.abort()
  await left
  await settled(house)
  const [account] = house.app.castor.books?.gate.budgets.accounts() ?? []
  t.equal(account?.windows[0]?.used(Date.now()).reserved, 0)
})

t.test('what was spent stays spent after a reload and after a restart', async (t) => {
  const house = await gateway(t, 'budgets: [{ name: tight, usdPerDay: 0.000001 }]')
  await ask(house)
  await settled(house)
  const { settings, books } = house.app.castor
  const [written] = settings.current.budgets
  t.ok(written)
  if (written === undefined || books === null) return
  settings.replace({ ...settings.current, budgets: [{ ...written, name: 'renamed' }] })
  t.equal((await ask(house)).status, 429)
  settings.replace({ ...settings.current, budgets: [{ ...written, usdPerDay: 5 }] })
  t.equal((await ask(house)).status, 200)
})
