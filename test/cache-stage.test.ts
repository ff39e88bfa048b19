import t from 'tap'
import { ask, eventually, metric, moveClock, question, sse, unary } from './cache-ask.ts'
import { gateway, until } from './helper.ts'

const on = 'cache: { mode: "on" }'
const counted = (url: string, result: string) => metric(url, `castor_cache_requests_total{result="${result}"}`)

t.test("a client's own bound on the age holds, and while answers are refreshed too", async (t) => {
  const { url, emulator } = await gateway(t, 'cache: { mode: "on", staleWhileRevalidate: 1h }')
  await ask(url, 'x')
  moveClock(t, 20_000)
  const strict = await ask(url, 'x', { headers: { 'cache-control': 'max-age=10' } })
  t.match(strict.cache, /fwd=miss/)
  t.equal(emulator.count(), 2)
})

t.test('an old answer is served at once while Gemini is asked anew', async (t) => {
  const { url, emulator } = await gateway(t, 'cache: { mode: "on", ttl: 10s, staleWhileRevalidate: 1h }')
  await ask(url, 'x')
  moveClock(t, 20_000)
  const old = await Promise.all([ask(url, 'x'), ask(url, 'x'), ask(url, 'x')])
  for (const { cache } of old) t.match(cache, /^castor; hit; ttl=-1\d; detail=stale$/)
  await until(() => emulator.count() === 2)
  const headers = { 'cache-control': 'only-if-cached, max-age=5' }
  await eventually(async () => (await ask(url, 'x', { headers })).status === 200)
  t.equal(emulator.count(), 2, 'once for all three')
})

t.test('followers of a call that fails ask for themselves', async (t) => {
  const { url, emulator } = await gateway(t, on, { emulator: { firstByteMs: 100 } })
  emulator.faults.add({ fault: { kind: 'error', error: 'overloaded' }, times: 1 })
  const answers = await Promise.all(Array.from({ length: 6 }, () => ask(url, 'x')))
  t.same(
    answers.map(({ status }) => status).sort(),
    [200, 200, 200, 200, 200, 503],
    'only the one whose call it was gets the error',
  )
  t.equal(emulator.count(), 2, 'one of them leads the rest')
})

t.test('followers of a call that breaks before its head ask for themselves', async (t) => {
  const { url, emulator } = await gateway(t, on)
  emulator.faults.add({ fault: [{ kind: 'delay', ms: 100 }, { kind: 'close' }], times: 1 })
  const answers = await Promise.all(Array.from({ length: 4 }, () => ask(url, 'x')))
  t.equal(answers.filter(({ status }) => status === 200).length, 3)
  t.equal(emulator.count(), 2)
})

t.test('when Gemini fails a crowd, each gets the old answer and Gemini is asked once', async (t) => {
  for (const path of [unary, sse]) {
    await t.test(path, async (t) => {
      const { url, emulator } = await gateway(t, 'cache: { mode: "on", ttl: 1s, staleIfError: 1h }')
      const first = await ask(url, 'x', { path })
      moveClock(t, 5000)
      emulator.faults.add({
        fault: [
          { kind: 'delay', ms: 1500 },
          { kind: 'error', error: 'overloaded' },
        ],
      })
      const answers = await Promise.all(Array.from({ length: 12 }, () => ask(url, 'x', { path })))
      for (const { status, body, cache } of answers) {
        t.equal(status, 200)
        t.equal(body, first.body)
        t.match(cache, /detail=stale/)
      }
      t.equal(emulator.count(), 2)
      t.equal(await counted(url, 'stale'), 12, 'each is counted')
      t.equal(await counted(url, 'miss'), 1, 'and once')
    })
  }
})

t.test('an old answer stands in for every kind of failure, and for no refusal', async (t) => {
  const { url, emulator } = await gateway(
    t,
    'cache: { mode: "on", ttl: 1s, staleIfError: 1h }\nupstream: { firstByteTimeout: 1s }',
  )
  const standsIn = [
    { kind: 'error', error: 'overloaded' },
    { kind: 'error', error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'quota' } },
    { kind: 'error', error: { code: 500, status: 'INTERNAL', message: 'internal' } },
    { kind: 'close' },
    { kind: 'reset' },
    { kind: 'delay', ms: 3000 },
  ] as const
  for (const index of standsIn.keys()) await ask(url, `x${index}`)
  await ask(url, 'bad')
  moveClock(t, 5000)
  for (const [index, fault] of standsIn.entries()) {
    emulator.faults.add({ fault, times: 1 })
    t.match((await ask(url, `x${index}`)).cache, /detail=stale/, JSON.stringify(fault))
  }
  emulator.faults.add({ fault: { kind: 'error', error: 'badRequest' }, times: 1 })
  t.equal((await ask(url, 'bad')).status, 400)
})

t.test('who asks for a fresh answer gets an old one only by saying so', async (t) => {
  const { url, emulator } = await gateway(t, on)
  await ask(url, 'x')
  emulator.faults.add({ fault: { kind: 'error', error: 'overloaded' } })
  t.equal((await ask(url, 'x', { headers: { 'cache-control': 'no-cache' } })).status, 503)
  const both = await ask(url, 'x', { headers: { 'cache-control': 'no-cache, stale-if-error=60' } })
  t.equal(both.status, 200)
})

t.test('only-if-cached never asks Gemini, whoever asks and whatever', async (t) => {
  const { url, emulator } = await gateway(t, 'cache: { mode: "on", scope: shared }')
  await ask(url, 'x')
  const headers = { 'cache-control': 'only-if-cached' }
  t.equal((await ask(url, 'x', { headers, key: 'stranger' })).status, 504, 'a key not yet accepted')
  t.equal((await ask(url, '', { headers, body: 'no JSON' })).status, 504)
  const interaction = { headers, path: '/v1beta/interactions', body: '{"model":"gemini-2.5-flash","input":"x"}' }
  t.equal((await ask(url, '', interaction)).status, 504, 'what is never remembered')
  t.equal(emulator.count(), 1)
})

t.test('a clock that was set back does not make answers live for ever', async (t) => {
  const { url } = await gateway(t, on)
  await ask(url, 'x')
  moveClock(t, -3_600_000)
  t.match((await ask(url, 'x')).cache, /fwd=miss/)
})

t.test('a stream whose client left is not kept, one that others still read is', async (t) => {
  const { url, emulator } = await gateway(t, on, { emulator: { tokensPerSecond: 200, answerTokens: 60 } })
  const leaving = new AbortController()
  const response = await fetch(url + sse, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': 'one' },
    body: JSON.stringify(question('x')),
    signal: leaving.signal,
  })
  const follower = ask(url, 'x', { path: sse })
  await until(() => emulator.count() === 1)
  await response.body?.getReader().read()
  await eventually(async () => (await counted(url, 'coalesced')) === 1)
  leaving.abort()
  const { body } = await follower
  t.match(body, /"finishReason": "STOP"/)
  const again = await ask(url, 'x', { path: sse })
  t.match(again.cache, /detail=exact/)
  t.equal(again.body, body)
  t.equal(emulator.count(), 1)
})

t.test('a paced replay ends when its client leaves, and comes whole to one that stays', async (t) => {
  const { url, app } = await gateway(t, 'cache: { mode: "on", replay: paced }', {
    emulator: { tokensPerSecond: 400, answerTokens: 80 },
  })
  const first = await ask(url, 'x', { path: sse })
  const again = await ask(url, 'x', { path: sse })
  t.match(again.cache, /hit/)
  t.equal(again.body, first.body)
  const leaving = new AbortController()
  const response = await fetch(url + sse, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': 'one' },
    body: JSON.stringify(question('x')),
    signal: leaving.signal,
  })
  await response.body?.getReader().read()
  leaving.abort()
  await until(() => app.castor.load.inFlight === 0)
})

t.test('nothing is held for answers in flight once they are over', async (t) => {
  const { url, app } = await gateway(t, on, { emulator: { firstByteMs: 30 } })
  await Promise.all(Array.from({ length: 50 }, (_, index) => ask(url, `x${index % 5}`)))
  await until(() => app.castor.load.inFlight === 0)
  t.equal(app.castor.load.heldBodyBytes, 0)
  t.equal(app.castor.cacheHolder.current?.coalescer.inFlight(), 0)
})

t.test('Vertex paths are remembered by project and location', async (t) => {
  const { url, emulator } = await gateway(t, on)
  const vertex = (project: string) =>
    ask(url, 'x', {
      path: `/v1/projects/${project}/locations/global/publishers/google/models/gemini-2.5-flash:generateContent`,
    })
  t.equal((await vertex('one')).status, 200)
  t.match((await vertex('one')).cache, /hit/)
  t.match((await vertex('two')).cache, /fwd=miss/)
  t.equal(emulator.count(), 2)
})

t.test('a reload takes up the policy, the sizes and the life of answers', async (t) => {
  const { url, app, emulator } = await gateway(t, on)
  await ask(url, 'x')
  const { settings, cacheHolder } = app.castor
  const { cache } = settings.current
  settings.replace({ ...settings.current, cache: { ...cache, maxEntries: 1, ttl: 1000 } })
  await ask(url, 'y')
  t.equal((await cacheHolder.current?.tiers.stats())?.memory.entries, 1)
  moveClock(t, 2000)
  t.match((await ask(url, 'y')).cache, /fwd=miss/)
  t.equal(emulator.count(), 3)
})
