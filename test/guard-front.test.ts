/** Quotas, breaker and retries through the front door: what Gemini is asked while it refuses or fails, and what clients get meanwhile. */
import t from 'tap'
import { type Gateway, gateway, gatewayTo, until } from './helper.ts'
import { deadOrigin } from './nemesis.ts'

const flash = '/v1beta/models/gemini-2.5-flash'
const unary = `${flash}:generateContent`
const stream = `${flash}:streamGenerateContent?alt=sse`
const admin = '/api/ai-engine/optimization'

async function post(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': 'key-a', ...headers },
    body: '{"contents":[{"role":"user","parts":[{"text":"Who was Castor?"}]}]}',
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

async function bookings({ app, arrivals, log }: Gateway) {
  await until(() => log.filter(({ msg }) => msg === 'request').length === arrivals.length, 10_000, 'every log line')
  return (await app.castor.books?.ledger.recent(10_000)) ?? []
}

t.test('a spent quota is answered at once with the time to wait, without asking Gemini', async (t) => {
  const { url, emulator, app } = await gateway(t, 'throttle: { enabled: true }')
  emulator.faults.add({ fault: { kind: 'error', error: 'quotaPerMinute' }, times: 1 })
  const first = await post(url + unary)
  t.equal(first.status, 429)
  t.equal(first.headers.get('retry-after'), null, 'Gemini’s own answer stays as it is')
  const second = await post(url + stream)
  t.equal(second.status, 429)
  const waitS = Number(second.headers.get('retry-after'))
  t.ok(waitS > 40 && waitS <= 49)
  const { error } = JSON.parse(second.text)
  t.match(error, { code: 429, status: 'RESOURCE_EXHAUSTED', message: `Please retry in ${waitS}s.` })
  t.match(error.details, [
    { reason: 'CASTOR_UPSTREAM_QUOTA', domain: 'castor' },
    { violations: [{ quotaId: 'GenerateContentPaidTierInputTokensPerModelPerMinute' }] },
    { retryDelay: `${waitS}s` },
  ])
  t.equal(emulator.count(), 1)
  t.equal((await post(url + unary, { 'x-goog-api-key': 'key-b' })).status, 200, 'another key has a quota of its own')
  t.equal((await post(`${url}/v1beta/models/gemini-2.5-pro:generateContent`)).status, 200, 'and another model too')
  t.match(await app.castor.metrics.registry.metrics(), /^castor_parked_quotas 1$/m)
})

t.test('a quota of the day says so, and waits for midnight Pacific', async (t) => {
  const { url, emulator } = await gateway(t, 'throttle: { enabled: true }')
  emulator.faults.add({ fault: { kind: 'error', error: 'quotaPerDay' }, times: 1 })
  await post(url + unary, { 'accept-encoding': 'gzip' })
  const { text, headers } = await post(url + unary)
  t.match(text, 'PerDay')
  t.ok(Number(headers.get('retry-after')) <= 25 * 3600)
})

t.test('on the OpenAI surface the refusal is OpenAI’s object', async (t) => {
  const { url, emulator } = await gateway(t, 'throttle: { enabled: true }')
  emulator.faults.add({ fault: { kind: 'error', error: 'quotaPerMinute' }, times: 1 })
  const ask = () =>
    fetch(`${url}/v1beta/openai/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer key-a' },
      body: '{"model":"gemini-2.5-flash","messages":[{"role":"user","content":"hi"}]}',
    })
  await (await ask()).text()
  const refused = await ask()
  t.equal(refused.status, 429)
  t.match(await refused.json(), { error: { type: 'rate_limit_error', code: 'CASTOR_UPSTREAM_QUOTA' } })
})

const quick = 'breaker: { enabled: true, minimumCalls: 4, openFor: 200ms, window: 1m }'

t.test('a model that keeps failing is left alone until a probe succeeds; others go on', async (t) => {
  const { url, emulator, app, log } = await gateway(t, quick)
  const remove = emulator.faults.add({
    match: { model: 'gemini-2.5-flash' },
    fault: { kind: 'error', error: 'overloaded' },
  })
  for (let call = 0; call < 4; call += 1) await post(url + unary)
  const refused = await post(url + stream)
  t.equal(refused.status, 503)
  t.equal(refused.headers.get('retry-after'), '1')
  t.match(JSON.parse(refused.text), { error: { status: 'UNAVAILABLE', details: [{ reason: 'CASTOR_UPSTREAM_OPEN' }] } })
  t.match(refused.text, 'HTTP 503')
  t.equal(emulator.count(), 4)
  t.equal((await post(`${url}/v1beta/models/gemini-2.5-pro:generateContent`)).status, 200)
  t.match((await app.inject(`${admin}/service/health/`)).json(), {
    status: 'degraded',
    parts: {
      upstream: { breakers: [{ model: 'gemini-2.5-flash', state: 'open', reason: 'HTTP 503', nextProbeAt: /Z$/ }] },
    },
  })
  t.match(await app.castor.metrics.registry.metrics(), /^castor_breaker_state\{.*gemini-2\.5-flash.*\} 2$/m)
  t.ok(log.some(({ state, model }) => state === 'open' && model === 'gemini-2.5-flash'))
  remove()
  const breaker = () => app.castor.guard?.breakers.states()[0]?.state
  await until(() => breaker() === 'half-open')
  t.equal((await post(url + unary)).status, 200)
  await until(() => breaker() === 'closed')
})

t.test('what is the caller’s own fault, or its quota, opens nothing', async (t) => {
  const { url, emulator, app } = await gateway(t, quick)
  for (const error of ['badRequest', 'keyInvalid', 'modelGone', 'quotaShort', 'keyLeaked'] as const)
    emulator.faults.add({ fault: { kind: 'error', error }, times: 3 })
  for (let call = 0; call < 15; call += 1) await post(url + unary)
  t.same(app.castor.guard?.breakers.states(), [])
})

t.test('an operator opens and closes a breaker by hand', async (t) => {
  const { url, emulator, app } = await gateway(t, quick)
  const force = (state: string) =>
    app.inject({ method: 'POST', url: `${admin}/breaker/`, payload: { model: 'gemini-2.5-flash', state } })
  t.match((await force('open')).json(), { model: 'gemini-2.5-flash', forced: 'open' })
  t.equal((await post(url + unary)).status, 503)
  t.equal(emulator.count(), 0)
  t.match((await force('auto')).json(), { forced: null, state: 'closed' })
  t.equal((await post(url + unary)).status, 200)
  t.equal((await force('ajar')).statusCode, 400)
})

t.test('a 503 before the first byte is asked once more, and each attempt is booked once', async (t) => {
  const house = await gateway(t, 'retry: { max: 1 }')
  const { url, emulator } = house
  for (const path of [unary, stream]) {
    emulator.faults.add({ fault: { kind: 'error', error: 'overloaded' }, times: 1 })
    t.equal((await post(url + path)).status, 200)
  }
  t.equal(emulator.count(), 4)
  const events = await bookings(house)
  t.same(
    events
      .map(({ attempt, final, outcome }) => ({ attempt, final, outcome }))
      .toSorted((a, b) => a.attempt - b.attempt),
    [
      { attempt: 1, final: false, outcome: 'upstream_error' },
      { attempt: 1, final: false, outcome: 'upstream_error' },
      { attempt: 2, final: true, outcome: 'completed' },
      { attempt: 2, final: true, outcome: 'completed' },
    ],
  )
})

t.test('the last failure is Gemini’s own, and nothing else is ever asked twice', async (t) => {
  const { url, emulator } = await gateway(t, 'retry: { max: 1 }')
  const calls = async (error: 'overloaded' | 'quotaShort' | 'badRequest', headers = {}) => {
    const before = emulator.count()
    const remove = emulator.faults.add({ fault: { kind: 'error', error } })
    const { text } = await post(url + unary, headers)
    remove()
    t.notMatch(text, 'CASTOR_', error)
    return emulator.count() - before
  }
  t.equal(await calls('overloaded'), 2)
  t.equal(await calls('overloaded', { 'x-stainless-retry-count': '1' }), 1, 'the client is retrying already')
  t.equal(await calls('quotaShort'), 1)
  t.equal(await calls('badRequest'), 1)
})

t.test('retries stay within their budget, and never outlast the client’s own deadline', async (t) => {
  const { url, emulator } = await gateway(t, 'retry: { max: 2, budget: 10 }')
  emulator.faults.add({ fault: { kind: 'error', error: 'overloaded' } })
  for (let call = 0; call < 50; call += 1) await post(url + unary)
  t.ok(emulator.count() <= 50 + 3 + 5, `${emulator.count()} calls to Gemini for 50 of clients`)
  const { url: fresh, emulator: other } = await gateway(t, 'retry: { max: 1 }')
  other.faults.add({
    fault: [
      { kind: 'delay', ms: 30 },
      { kind: 'error', error: 'overloaded' },
    ],
  })
  await post(fresh + unary, { 'x-server-timeout': '0.02' })
  t.equal(other.count(), 1)
})

t.test('a connection that cannot be made is tried again, then told', async (t) => {
  const house = await gatewayTo(t, await deadOrigin(), 'retry: { max: 1 }')
  const { status, text } = await post(house.url + unary)
  t.equal(status, 503)
  t.match(text, 'CASTOR_UPSTREAM_UNREACHABLE')
  t.equal((await bookings(house)).length, 2)
})

t.test('a client that has left is not asked for again', async (t) => {
  const { url, emulator, app } = await gateway(t, 'retry: { max: 1 }')
  emulator.faults.add({
    fault: [
      { kind: 'delay', ms: 100 },
      { kind: 'error', error: 'overloaded' },
    ],
  })
  const leaving = AbortSignal.timeout(30)
  await t.rejects(
    fetch(url + unary, { method: 'POST', headers: { 'x-goog-api-key': 'k' }, body: '{}', signal: leaving }),
  )
  await until(() => app.castor.load.inFlight === 0)
  t.equal(emulator.count(), 1)
})

t.test(
  'while Gemini is down, it is asked a fiftieth of what clients ask at most, and Castor adds no failure of another kind',
  async (t) => {
    const { url, emulator, app } = await gateway(t, 'retry: { max: 1 }\nbreaker: { enabled: true }')
    emulator.faults.add({ fault: { kind: 'error', error: 'overloaded' } })
    const statuses = new Set<number>()
    const client = async () => {
      for (let call = 0; call < 250; call += 1) statuses.add((await post(url + unary)).status)
    }
    await Promise.all([client(), client(), client(), client()])
    t.same([...statuses], [503])
    t.ok(emulator.count() <= 20, `${emulator.count()} calls to Gemini for 1000 of clients`)
    t.equal(app.castor.load.inFlight, 0)
  },
)
