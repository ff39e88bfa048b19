import t from 'tap'
import { createMinutes } from '../src/admin/minutes.ts'
import { createTraffic } from '../src/admin/traffic.ts'
import { beginExchange, type Exchange } from '../src/exchange/exchange.ts'
import type { Observation } from '../src/gemini/observe.ts'
import { readTarget } from '../src/gemini/target.ts'
import { noUsage } from '../src/gemini/usage.ts'
import { percentile } from '../src/usage/histogram.ts'

const minute = 60_000

function exchange(model: string, over: Partial<Exchange> = {}): Exchange {
  const target = readTarget('POST', `/v1beta/models/${model}:generateContent`)
  const caller = { tenant: 't', keyId: 'crm', client: 'crm', tags: {}, upstreamKey: null }
  const outgoing = { apiKey: null, authorization: null, strip: { apiKey: false, authorization: false } }
  const startedAt = performance.now()
  const begun = beginExchange({
    id: 'x',
    startedAt,
    target,
    caller,
    outgoing,
    tags: {},
    interaction: null,
    context: null,
  })
  return Object.assign(begun, { statusCode: 200, source: 'upstream', outcome: 'complete' }, over)
}

function observed(tokens: number): Observation {
  // Of an observation only the usage is read here.
  return { usage: { ...noUsage(), promptTokens: tokens, candidateTokens: 1, totalTokens: tokens + 1 } } as Observation
}

t.test('the last hour is sixty minutes, those without calls too', async (t) => {
  let now = 1_000 * minute
  const traffic = createTraffic(() => now)
  traffic.note(exchange('gemini-a'), observed(10))
  now += 2 * minute
  traffic.note(exchange('gemini-a'), observed(5))
  const minutes = traffic.minutes()
  t.equal(minutes.length, 60)
  t.same(
    minutes.slice(-3).map(({ startMs, calls, promptTokens }) => [startMs / minute, calls, promptTokens]),
    [
      [1000, 1, 10],
      [1001, 0, 0],
      [1002, 1, 5],
    ],
  )
  t.ok(percentile(minutes.at(-1)!.latency, 0.5))
  now += 61 * minute
  t.equal(
    traffic.minutes().reduce((sum, { calls }) => sum + calls, 0),
    0,
    'what is older is gone',
  )
})

t.test('a clock that goes back loses nothing and never makes more than sixty minutes', async (t) => {
  let now = 1_000 * minute
  const minutes = createMinutes(() => now)
  minutes.current().calls += 1
  now -= 30 * minute
  minutes.current().calls += 1
  t.equal(minutes.all().length, 60)
  t.equal(minutes.all().at(-1)?.calls, 2)
})

t.test('faults of the service are errors, those of the client are none', async (t) => {
  const traffic = createTraffic(() => minute)
  const cases: [Partial<Exchange>, number][] = [
    [{ statusCode: 500 }, 1],
    [{ statusCode: 429 }, 1],
    [{ statusCode: 429, failure: 'CASTOR_LIMIT' }, 0],
    [{ statusCode: 400 }, 0],
    [{ statusCode: 503, failure: 'CASTOR_UPSTREAM_UNREACHABLE', outcome: 'failed', source: 'gateway' }, 1],
    [{ outcome: 'upstream_broken' }, 1],
    [{ statusCode: 0, outcome: 'client_abort' }, 0],
  ]
  let expected = 0
  for (const [over, errors] of cases) {
    traffic.note(exchange('gemini-a', over), null)
    expected += errors
    t.equal(traffic.minutes().at(-1)?.errors, expected, JSON.stringify(over))
  }
})

t.test('hits are what was answered from memory, misses what was looked up in vain', async (t) => {
  const traffic = createTraffic(() => minute)
  for (const cache of ['exact', 'stale', 'coalesced', 'miss', 'bypass', null] as const) {
    traffic.note(exchange('gemini-a', { cache }), null)
  }
  t.match(traffic.minutes().at(-1), { calls: 6, hits: 3, misses: 1 })
})

t.test('the latest calls are listed without content, the latest first, and bounded', async (t) => {
  const traffic = createTraffic(() => minute)
  for (let count = 0; count < 150; count++) traffic.note(exchange('gemini-a', { id: `id-${count}` }), observed(count))
  const recent = traffic.recent()
  t.equal(recent.length, 100)
  t.match(recent[0], {
    id: 'id-149',
    key: 'crm',
    route: '/v1beta/models/:model:generateContent',
    model: 'gemini-a',
    status: 200,
    tokens: 150,
    endedAtMs: minute,
  })
})

t.test('what is no model name is not shown as one', async (t) => {
  const traffic = createTraffic(() => minute)
  traffic.note(exchange('gemini-a', { model: 'AIzaSyCanary_0123456789' }), null)
  t.equal(traffic.recent()[0]?.model, null)
  t.notMatch(JSON.stringify([traffic.recent(), traffic.models()]), /Canary/)
})

t.test('a model’s health is its last success and its failures since', async (t) => {
  let now = 5
  const traffic = createTraffic(() => now)
  traffic.note(exchange('gemini-a', { statusCode: 503 }), null)
  traffic.note(exchange('gemini-a', { outcome: 'upstream_broken', failure: 'CASTOR_UPSTREAM_BROKEN' }), null)
  t.same(traffic.models(), [
    {
      model: 'gemini-a',
      lastSuccessAt: null,
      lastFailureAt: 5,
      lastFailure: 'CASTOR_UPSTREAM_BROKEN',
      failuresInRow: 2,
    },
  ])
  now = 6
  traffic.note(exchange('gemini-a', { source: 'cache', cache: 'exact' }), null)
  t.match(traffic.models(), [{ failuresInRow: 2 }], 'memory says nothing of it')
  traffic.note(exchange('gemini-a'), null)
  t.match(traffic.models(), [{ lastSuccessAt: 6, failuresInRow: 0 }])
  for (let count = 0; count < 150; count++) traffic.note(exchange(`gemini-${count}`), null)
  t.equal(traffic.models().length, 100)
})

t.test('files and other traffic are listed but do not count as model calls', async (t) => {
  const traffic = createTraffic(() => minute)
  traffic.note(exchange('gemini-a', { target: readTarget('GET', '/v1beta/files') }), null)
  t.equal(traffic.minutes().at(-1)?.calls, 0)
  t.equal(traffic.recent()[0]?.route, '/v1beta/files')
})
