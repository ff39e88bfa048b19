/** The fallback chain through the front door: who answers when the model that was asked cannot, how it is marked, and what it must not touch. */
import { GoogleGenAI } from '@google/genai'
import t from 'tap'
import { conflicts } from '../config/rules.ts'
import { defaultConfig } from '../config/schema.ts'
import { eventually, moveClock } from './cache-ask.ts'
import { type Gateway, gateway, until } from './helper.ts'

const chain = `
fallback:
  timeout: 300ms
  chains:
    - { models: [gemini-2.5-pro], steps: [gemini-2.5-flash, gemini-2.5-flash-lite] }
`
const pro = '/v1beta/models/gemini-2.5-pro'
const body = { contents: [{ role: 'user', parts: [{ text: 'Who was Castor?' }] }] }

async function post(url: string, more: object = {}, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': 'key-a', ...headers },
    body: JSON.stringify({ ...body, ...more }),
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

async function bookings({ app, arrivals, log }: Gateway) {
  await until(() => log.filter(({ msg }) => msg === 'request').length === arrivals.length, 10_000, 'every log line')
  return (await app.castor.books?.ledger.recent(10_000)) ?? []
}

t.test('another model answers, unary and streamed, and the answer says so', async (t) => {
  const { url, emulator } = await gateway(t, chain)
  emulator.faults.add({ match: { model: 'gemini-2.5-pro' }, fault: { kind: 'error', error: 'overloaded' } })
  for (const path of [':generateContent', ':streamGenerateContent?alt=sse', ':streamGenerateContent']) {
    const { status, headers, text } = await post(url + pro + path)
    t.equal(status, 200, path)
    t.equal(headers.get('x-castor-model'), 'gemini-2.5-flash')
    t.equal(headers.get('x-castor-fallback'), 'model; step=1')
    t.equal(headers.get('x-castor-confidence'), '0.8')
    t.match(text, '"modelVersion": "gemini-2.5-flash"', 'the answer’s own bytes say it too')
  }
})

t.test(
  'the second step answers when the first cannot either; each attempt is booked once, under who served',
  async (t) => {
    const house = await gateway(t, chain)
    const { url, emulator } = house
    emulator.faults.add({ match: { model: 'gemini-2.5-pro' }, fault: { kind: 'error', error: 'quotaPerMinute' } })
    emulator.faults.add({ match: { model: 'gemini-2.5-flash' }, fault: { kind: 'delay', ms: 5_000 } })
    const { status, headers } = await post(`${url + pro}:generateContent`)
    t.equal(status, 200)
    t.equal(headers.get('x-castor-fallback'), 'model; step=2')
    const events = (await bookings(house)).toSorted((a, b) => a.attempt - b.attempt)
    t.match(events, [
      { attempt: 1, final: false, outcome: 'rate_limited', modelAsked: 'gemini-2.5-pro' },
      { attempt: 2, final: false, outcome: 'timeout', modelAsked: 'gemini-2.5-pro' },
      {
        attempt: 3,
        final: true,
        outcome: 'completed',
        source: 'fallback',
        modelAsked: 'gemini-2.5-pro',
        modelServed: 'gemini-2.5-flash-lite',
      },
    ])
    t.equal(events.length, 3)
    t.ok((events[2]?.measures.cost ?? 0) > 0)
  },
)

t.test('a stream that fails in the place of its first event is answered by another model, never spliced', async (t) => {
  const { url, emulator } = await gateway(t, chain)
  const stream = `${url + pro}:streamGenerateContent?alt=sse`
  const remove = emulator.faults.add({
    match: { model: 'gemini-2.5-pro' },
    fault: { kind: 'errorTail', afterEvents: 0 },
  })
  const moved = await post(stream)
  t.equal(moved.headers.get('x-castor-fallback'), 'model; step=1')
  t.notMatch(moved.text, '"error"')
  remove()
  emulator.faults.add({ match: { model: 'gemini-2.5-pro' }, fault: { kind: 'errorTail', afterEvents: 1 } })
  const broken = await post(stream)
  t.equal(broken.headers.get('x-castor-fallback'), null, 'after the first event the failure is the client’s to see')
  t.match(broken.text, '"error"')
  t.notMatch(broken.text, 'gemini-2.5-flash')
})

t.test('when nobody can answer, the client gets Gemini’s own error for the model it asked for', async (t) => {
  const { url, emulator } = await gateway(t, chain)
  emulator.faults.add({ match: { model: 'gemini-2.5-pro' }, fault: { kind: 'error', error: 'highDemand' } })
  emulator.faults.add({ match: { model: 'gemini-2.5-flash*' }, fault: { kind: 'error', error: 'badRequest' } })
  const { status, text, headers } = await post(`${url + pro}:generateContent`)
  t.equal(status, 503)
  t.match(text, 'high demand')
  t.equal(headers.get('x-castor-fallback'), null)
  t.equal(emulator.count(), 3)
})

t.test('a caller’s own mistake is never sent to another model', async (t) => {
  const { url, emulator } = await gateway(t, chain)
  for (const error of ['badRequest', 'keyInvalid', 'modelGone', 'tooLong'] as const) {
    emulator.faults.add({ fault: { kind: 'error', error }, times: 1 })
    t.ok((await post(`${url + pro}:generateContent`)).status < 500, error)
  }
  t.equal(emulator.count(), 4)
})

t.test(
  'what is tied to its model is not moved, nor what the client forbids, nor a count or an embedding',
  async (t) => {
    const { url, emulator } = await gateway(t, chain)
    emulator.faults.add({ fault: { kind: 'error', error: 'overloaded' } })
    const call = `${url + pro}:generateContent`
    await post(call, { cachedContent: 'cachedContents/x' })
    await post(call, { contents: [{ parts: [{ text: 'x', thoughtSignature: 'c2ln' }] }] })
    await post(call, { continuationToken: 'abc' })
    await post(call, {}, { 'x-castor-fallback': 'off' })
    await post(`${url + pro}:countTokens`)
    await post(`${url}/v1beta/models/gemini-2.5-flash:generateContent`)
    t.equal(emulator.count(), 6, 'each was asked once')
  },
)

t.test('a fallback’s answer is not kept in the cache, and an old answer comes after the chain', async (t) => {
  const { url, emulator } = await gateway(t, `${chain}\ncache: { mode: on, staleIfError: 1h }`)
  const call = `${url + pro}:generateContent`
  const remove = emulator.faults.add({
    match: { model: 'gemini-2.5-pro' },
    fault: { kind: 'error', error: 'overloaded' },
  })
  const moved = await post(call)
  t.equal(moved.headers.get('cache-status'), 'castor; fwd=miss; detail=fallback')
  remove()
  const own = await post(call)
  t.equal(own.headers.get('x-castor-model'), 'gemini-2.5-pro')
  t.match(own.headers.get('cache-status'), 'fwd=miss')
  await eventually(async () => (await post(call, {}, { 'cache-control': 'only-if-cached' })).status === 200)
  moveClock(t, 60_000)
  emulator.faults.add({ fault: { kind: 'error', error: 'overloaded' } })
  const before = emulator.count()
  const old = await post(call, {}, { 'cache-control': 'max-age=30' })
  t.equal(old.status, 200)
  t.match(old.headers.get('cache-status'), 'detail=stale')
  t.equal(old.headers.get('x-castor-model'), 'gemini-2.5-pro')
  t.equal(emulator.count() - before, 3, 'the whole chain was asked')
})

t.test('a model that is left alone, or has no quota, falls back without being asked', async (t) => {
  const { url, emulator, app } = await gateway(t, `${chain}\nbreaker: { enabled: true }\nthrottle: { enabled: true }`)
  app.castor.guard?.breakers.force(emulator.url, 'gemini-2.5-pro', 'open')
  t.equal((await post(`${url + pro}:generateContent`)).headers.get('x-castor-model'), 'gemini-2.5-flash')
  app.castor.guard?.breakers.force(emulator.url, 'gemini-2.5-pro', null)
  emulator.faults.add({ match: { model: 'gemini-2.5-pro' }, fault: { kind: 'error', error: 'quotaPerDay' }, times: 1 })
  for (let call = 0; call < 3; call += 1) t.equal((await post(`${url + pro}:generateContent`)).status, 200)
  t.equal(emulator.count({ model: 'gemini-2.5-pro' }), 1)
  app.castor.guard?.breakers.force(emulator.url, 'gemini-2.5-flash', 'open')
  app.castor.guard?.breakers.force(emulator.url, 'gemini-2.5-flash-lite', 'open')
  const refused = await post(`${url + pro}:generateContent`)
  t.equal(refused.status, 429, 'and with nobody left, the first refusal is told')
  t.match(refused.text, 'CASTOR_UPSTREAM_QUOTA')
})

t.test(
  'the model asked for can be given less patience; what the steps are refused costs it nothing of its own error',
  async (t) => {
    const { url, emulator, app } = await gateway(
      t,
      'fallback: { chains: [{ interactions: [chat], steps: [gemini-2.5-flash], patience: 100ms }] }\nbreaker: { enabled: true }',
    )
    emulator.faults.add({ match: { model: 'gemini-2.5-pro' }, fault: { kind: 'delay', ms: 3_000 }, times: 1 })
    const moved = await post(`${url + pro}:generateContent`, {}, { 'x-castor-interaction': 'chat' })
    t.equal(moved.headers.get('x-castor-model'), 'gemini-2.5-flash')
    app.castor.guard?.breakers.force(emulator.url, 'gemini-2.5-flash', 'open')
    emulator.faults.add({ match: { model: 'gemini-2.5-pro' }, fault: { kind: 'error', error: 'overloaded' } })
    const told = await post(`${url + pro}:generateContent`, {}, { 'x-castor-interaction': 'chat' })
    t.equal(told.status, 503)
    t.match(told.text, 'The model is overloaded')
  },
)

t.test('the official SDK takes a fallback’s answer and stream as any other', async (t) => {
  const { url, emulator } = await gateway(t, chain)
  emulator.faults.add({ match: { model: 'gemini-2.5-pro' }, fault: { kind: 'error', error: 'overloaded' } })
  const client = new GoogleGenAI({ apiKey: 'key-a', httpOptions: { baseUrl: url } })
  const asked = { model: 'gemini-2.5-pro', contents: 'Who was Pollux?' }
  t.ok((await client.models.generateContent(asked)).text)
  let text = ''
  for await (const event of await client.models.generateContentStream(asked)) text += event.text ?? ''
  t.ok(text)
})

t.test('a client that leaves on the way takes the chain with it', async (t) => {
  const { url, emulator, app } = await gateway(t, chain)
  emulator.faults.add({ match: { model: 'gemini-2.5-pro' }, fault: { kind: 'error', error: 'overloaded' } })
  emulator.faults.add({ match: { model: 'gemini-2.5-flash' }, fault: { kind: 'delay', ms: 5_000 } })
  const leaving = new AbortController()
  const call = fetch(`${url + pro}:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': 'k' },
    body: JSON.stringify(body),
    signal: leaving.signal,
  })
  await until(() => emulator.count() === 2)
  leaving.abort()
  await t.rejects(call)
  await until(() => app.castor.load.inFlight === 0)
  await until(() => emulator.count({ aborted: true }) === 1)
  t.equal(emulator.count({ model: 'gemini-2.5-flash-lite' }), 0)
})

t.test('chains that lead back or can never be used are refused, each with its place', async (t) => {
  const chainOf = (more: object) => ({ models: [], interactions: [], tags: [], steps: ['b'], patience: 0, ...more })
  const told = (...chains: ReturnType<typeof chainOf>[]) =>
    conflicts({ ...defaultConfig(), fallback: { enabled: true, timeout: 5000, chains } }).map(
      ({ paths, message }) => `${paths[0]} ${message}`,
    )
  t.match(told(chainOf({ models: ['a'], steps: ['b', 'a'] })), [/^fallback\.chains\[0\]\.steps\[1\] is the model/])
  t.match(told(chainOf({ models: ['a'], steps: ['b', 'b'] })), [/steps\[1\] has been asked before/])
  t.match(told(chainOf({}), chainOf({ models: ['a'] })), [/^fallback\.chains\[1\] can never be used/])
  t.same(told(chainOf({ models: ['gemini-*'], steps: ['gemini-2.5-flash'] }), chainOf({})), [])
})
