/** The books through the front door: what clients ask of a real gateway, against what the emulator itself reported. */
import { calcPrice } from '@pydantic/genai-prices'
import t from 'tap'
import type { Emulator } from '../src/emulator/emulator.ts'
import type { BookedEvent } from '../src/usage/ledger.ts'
import { type Gateway, gateway, until } from './helper.ts'

const flash = '/v1beta/models/gemini-2.5-flash'
const says = (text: string, more: object = {}) => ({ contents: [{ role: 'user', parts: [{ text }] }], ...more })

async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': 'key-a', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

/** Sends and reads to the end; a broken answer is what was asked for here. */
async function drain(url: string, body: unknown, headers: Record<string, string> = {}): Promise<void> {
  const response = await post(url, body, headers).catch(() => null)
  await response?.arrayBuffer().catch(() => null)
}

/** Everything booked, once every exchange that arrived has its line in the log. */
async function booked({ app, arrivals, log }: Gateway): Promise<BookedEvent[]> {
  await until(() => log.filter(({ msg }) => msg === 'request').length === arrivals.length, 10_000, 'every log line')
  return (await app.castor.books?.ledger.recent(10_000)) ?? []
}

type Counts = { prompt: number; cached: number; candidates: number; thoughts: number; toolUse: number }

function tokensOf(events: BookedEvent[]): Counts {
  const sum: Counts = { prompt: 0, cached: 0, candidates: 0, thoughts: 0, toolUse: 0 }
  for (const { measures } of events)
    for (const name of Object.keys(sum) as (keyof Counts)[]) sum[name] += measures[name]
  return sum
}

function reportedBy(emulator: Emulator): Counts {
  const { promptTokens, cachedTokens, candidateTokens, thoughtTokens, toolUseTokens } = emulator.usageTotals()
  return {
    prompt: promptTokens,
    cached: cachedTokens,
    candidates: candidateTokens,
    thoughts: thoughtTokens,
    toolUse: toolUseTokens,
  }
}

t.test('the ledger equals what Gemini reported, to the token, over every surface and framing', async (t) => {
  const house = await gateway(t, '', { emulator: { gzip: true } })
  const { url, emulator } = house
  for (const encoding of ['identity', 'gzip']) {
    const accept = { 'accept-encoding': encoding }
    await drain(`${url}${flash}:generateContent`, says('Who was Castor?'), accept)
    await drain(`${url}/v1/models/gemini-2.5-pro:generateContent`, says('And Pollux?'), accept)
    await drain(`${url}${flash}:streamGenerateContent?alt=sse`, says('Tell me of the twins.'), accept)
    await drain(`${url}${flash}:streamGenerateContent`, says('Tell me of the twins again.'), accept)
    await drain(
      `${url}/v1beta/openai/chat/completions`,
      { model: 'gemini-2.5-flash', messages: [{ role: 'user', content: 'Who was Leda?' }] },
      accept,
    )
    await drain(
      `${url}/v1beta/openai/chat/completions`,
      {
        model: 'gemini-2.5-flash',
        stream: true,
        stream_options: { include_usage: true },
        messages: [{ role: 'user', content: 'Who was Zeus?' }],
      },
      accept,
    )
    await drain(
      `${url}/v1beta/models/gemini-embedding-2:embedContent`,
      { content: { parts: [{ text: 'egg' }] } },
      accept,
    )
    await drain(`${url}${flash}:countTokens`, says('How long is this?'), accept)
    await drain(`${url}/v1beta/interactions`, { model: 'gemini-2.5-flash', input: 'Who was Helen?' }, accept)
  }
  const events = await booked(house)
  t.same(tokensOf(events), reportedBy(emulator))
  t.ok(emulator.usageTotals().totalTokens > 1000, 'there was something to count')
  t.equal(events.length, house.arrivals.length, 'one booking for each call')
  t.strictSame([...new Set(events.map(({ outcome }) => outcome))], ['completed'])
  t.notOk(events.some(({ usageSource }) => usageSource === 'estimated'))
})

t.test('each cost is that of an independent reckoning, to the nano-dollar', async (t) => {
  const house = await gateway(t)
  const models = ['gemini-2.5-flash', 'gemini-2.5-pro', 'gemini-2.5-flash-lite']
  for (const model of models)
    for (const length of [1, 400, 4000])
      await drain(`${house.url}/v1beta/models/${model}:generateContent`, says('twin '.repeat(length)))
  const events = await booked(house)
  t.equal(events.length, 9)
  for (const { measures, modelAsked, atMs } of events) {
    const price = calcPrice(
      {
        input_tokens: measures.prompt + measures.toolUse,
        cache_read_tokens: measures.cached,
        output_tokens: measures.candidates + measures.thoughts,
      },
      modelAsked,
      { providerId: 'google', timestamp: new Date(atMs) },
    )
    t.equal(measures.cost, Math.round((price?.total_price ?? Number.NaN) * 1e9), modelAsked)
  }
})

t.test('failed, broken and blocked answers are booked once each, by their outcome', async (t) => {
  const house = await gateway(t)
  const { url, emulator } = house
  const stream = `${url}${flash}:streamGenerateContent?alt=sse`
  const unary = `${url}${flash}:generateContent`
  const cases = [
    { fault: { kind: 'error', error: 'quotaPerDay' }, to: unary, outcome: 'rate_limited' },
    { fault: { kind: 'error', error: 'internal' }, to: unary, outcome: 'upstream_error' },
    { fault: { kind: 'error', error: 'keyInvalid' }, to: unary, outcome: 'client_error' },
    { fault: { kind: 'reset' }, to: unary, outcome: 'upstream_broken' },
    { fault: { kind: 'cut', afterEvents: 1 }, to: stream, outcome: 'upstream_broken' },
    { fault: { kind: 'truncate', afterEvents: 1 }, to: stream, outcome: 'upstream_broken' },
    { fault: { kind: 'errorTail', afterEvents: 1 }, to: stream, outcome: 'upstream_broken' },
    { fault: { kind: 'finish', reason: 'MAX_TOKENS' }, to: stream, outcome: 'truncated' },
    { fault: { kind: 'finish', reason: 'SAFETY' }, to: stream, outcome: 'blocked' },
    { fault: { kind: 'block' }, to: unary, outcome: 'blocked' },
  ] as const
  for (const { fault, to } of cases) {
    emulator.faults.add({ fault: { ...fault }, times: 1 })
    await drain(to, says('What now?'))
  }
  const events = (await booked(house)).toReversed()
  t.strictSame(
    events.map(({ outcome }) => outcome),
    cases.map(({ outcome }) => outcome),
  )
  t.ok(events.every(({ attempt, final }) => attempt === 1 && final))
  const reported = reportedBy(emulator)
  const told = tokensOf(events.filter(({ usageSource }) => usageSource !== 'estimated'))
  t.equal(told.prompt, reported.prompt, 'what Gemini said of broken answers is booked as it said it')
  const silent = events.filter(({ outcome }) => ['rate_limited', 'upstream_error', 'client_error'].includes(outcome))
  t.ok(
    silent.every(({ measures }) => measures.cost === 0 && measures.prompt === 0),
    'a refusal costs nothing',
  )
})

t.test('an answer about which Gemini says nothing is estimated and marked', async (t) => {
  const house = await gateway(t)
  house.emulator.faults.add({ fault: { kind: 'usage', mode: 'missing' } })
  await drain(`${house.url}${flash}:generateContent`, says('Who was Castor?'))
  const [event] = await booked(house)
  t.equal(event?.usageSource, 'estimated')
  t.ok((event?.measures.prompt ?? 0) > 0 && (event?.measures.candidates ?? 0) > 0)
  t.equal(event?.measures.estimatedCost, event?.measures.cost)
})

t.test('embeddings without usage are estimated by what was sent alone, and have a price', async (t) => {
  const house = await gateway(t)
  await drain(`${house.url}/v1beta/models/gemini-embedding-001:embedContent`, { content: { parts: [{ text: 'egg' }] } })
  const [event] = await booked(house)
  t.equal(event?.usageSource, 'estimated')
  t.equal(event?.measures.candidates, 0, 'a vector is no output')
  t.equal(event?.measures.unpricedAttempts, 0)
  t.ok((event?.measures.cost ?? 0) > 0)
})

t.test('a client that leaves is booked with what Gemini had reported by then', async (t) => {
  const house = await gateway(t, '', { emulator: { tokensPerSecond: 200, answerTokens: 400, chunkTokens: 8 } })
  const leaving = new AbortController()
  const response = await fetch(`${house.url}${flash}:streamGenerateContent?alt=sse`, {
    method: 'POST',
    headers: { 'x-goog-api-key': 'key-a' },
    body: JSON.stringify(says('A long story.')),
    signal: leaving.signal,
  })
  await response.body?.getReader().read()
  leaving.abort()
  const [event] = await booked(house)
  t.equal(event?.outcome, 'client_abort')
  t.match(event?.usageSource, /reported|partial/)
  // The emulator adds up a call when it has noticed its end.
  await until(() => house.emulator.calls.every(({ endedAt }) => endedAt > 0))
  t.equal(event?.measures.prompt, reportedBy(house.emulator).prompt)
  const before = new AbortController()
  house.emulator.faults.add({ fault: { kind: 'delay', ms: 5_000 } })
  const refused = fetch(`${house.url}${flash}:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': 'key-a' },
    body: JSON.stringify(says('Never mind.')),
    signal: before.signal,
  }).catch(() => null)
  await until(() => house.emulator.count() === 2)
  before.abort()
  await refused
  const [latest] = await booked(house)
  t.match(latest, { outcome: 'client_abort', usageSource: 'estimated', status: 0 })
})

t.test('a hit is booked without an attempt, and saves what the answer would cost', async (t) => {
  const house = await gateway(t, 'cache: { mode: on }')
  const url = `${house.url}${flash}:generateContent`
  await drain(url, says('Who was Castor?'))
  const response = await post(url, says('Who was Castor?'))
  await response.arrayBuffer()
  const events = await booked(house)
  t.equal(house.emulator.count(), 1)
  const hit = events.find(({ source }) => source === 'exact')
  const paid = events.find(({ source }) => source === 'upstream')
  t.match(hit, { attempt: 0, final: true, cache: 'hit', usageSource: 'none', measures: { cost: 0, attempts: 0 } })
  t.equal(hit?.measures.savedExact, paid?.measures.cost)
  t.equal(response.headers.get('x-castor-cost-usd'), '0')
  t.equal(Number(response.headers.get('x-castor-saved-usd')), (paid?.measures.cost ?? Number.NaN) / 1e9)
  t.ok((hit?.measures.savedTokens ?? 0) > 0)
})

t.test('calls that join one in flight save theirs, and the call itself is paid once', async (t) => {
  const house = await gateway(t, 'cache: { mode: on }', { emulator: { firstByteMs: 150 } })
  const url = `${house.url}${flash}:generateContent`
  await drain(`${house.url}${flash}:countTokens`, says('known key'))
  await Promise.all([1, 2, 3].map(() => drain(url, says('Who was Castor?'))))
  const events = (await booked(house)).filter(({ operation }) => operation === 'generateContent')
  const joined = events.filter(({ source }) => source === 'coalesced')
  t.equal(joined.length, 2)
  t.same(tokensOf(events), reportedBy(house.emulator))
  const [paid] = events.filter(({ source }) => source === 'upstream')
  t.ok(joined.every(({ measures }) => measures.savedCoalesced === paid?.measures.cost && measures.cost === 0))
})

t.test('a leader that has left pays for its followers, and nothing of it is waste', async (t) => {
  const house = await gateway(t, 'cache: { mode: on }', { emulator: { firstByteMs: 200 } })
  const url = `${house.url}${flash}:generateContent`
  const leaving = new AbortController()
  const leader = fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': 'key-a' },
    body: JSON.stringify(says('Who was Castor?')),
    signal: leaving.signal,
  }).catch(() => null)
  await until(() => house.emulator.count() === 1)
  const follower = drain(url, says('Who was Castor?'))
  await until(() => house.arrivals.length === 2)
  await until(() => house.app.castor.load.inFlight === 2)
  await new Promise((resolve) => setImmediate(resolve))
  leaving.abort()
  await Promise.all([leader, follower])
  const events = await booked(house)
  t.equal(house.emulator.count(), 1)
  t.same(tokensOf(events), reportedBy(house.emulator))
  t.match(
    events.find(({ source }) => source === 'upstream'),
    { outcome: 'completed', usageSource: 'reported' },
  )
})

t.test('an old answer that stands in for a failure leaves the failed attempt on the books, at no cost', async (t) => {
  const house = await gateway(t, 'cache: { mode: on, ttl: 1s, staleIfError: 1h }')
  const url = `${house.url}${flash}:generateContent`
  await drain(url, says('Who was Castor?'))
  house.emulator.faults.add({ fault: { kind: 'error', error: 'overloaded' } })
  await drain(url, says('Who was Castor?'), { 'cache-control': 'no-cache, stale-if-error=600' })
  const [call, failed] = await booked(house)
  t.match(call, { attempt: 0, source: 'stale', outcome: 'completed', measures: { cost: 0, savedExact: 0 } })
  t.match(failed, {
    attempt: 1,
    final: false,
    outcome: 'upstream_error',
    status: 503,
    measures: { cost: 0, prompt: 0 },
  })
})

t.test('what passes through unread is counted, and what it costs is unknown rather than nothing', async (t) => {
  const house = await gateway(t)
  await fetch(`${house.url}/v1beta/models`, { headers: { 'x-goog-api-key': 'key-a' } }).then((it) => it.text())
  await drain(`${house.url}/v1beta/models/imagen-4.0-generate-001:predict`, { instances: [{ prompt: 'twins' }] })
  const events = await booked(house)
  t.match(
    events.find(({ operation }) => operation === '/v1beta/models'),
    { measures: { unpricedAttempts: 0, attempts: 1 } },
  )
  t.match(
    events.find(({ operation }) => operation === 'predict'),
    { measures: { unpricedAttempts: 1, attempts: 1 } },
  )
})

t.test('callers, tags and interaction types stand beside each booking, and no key does', async (t) => {
  const house = await gateway(t)
  await drain(`${house.url}${flash}:generateContent`, says('Hi'), {
    'x-castor-tags': 'team=sales; env=prod',
    'x-castor-interaction': 'question_generation',
  })
  const [event] = await booked(house)
  t.match(event, { tags: 'env=prod,team=sales', interaction: 'question_generation', tenant: /^key:[0-9a-f]{8}$/ })
  t.notMatch(JSON.stringify(event), /key-a/)
})

t.test('what is only compared with memory saves nothing', async (t) => {
  const house = await gateway(t, 'cache: { mode: shadow }')
  for (let each = 0; each < 3; each += 1) await drain(`${house.url}${flash}:generateContent`, says('Who was Castor?'))
  const events = await booked(house)
  t.equal(house.emulator.count(), 3)
  t.ok(events.every(({ measures }) => measures.savedExact === 0 && measures.savedTokens === 0))
  t.ok(
    events.some(({ measures }) => measures.repeats === 1),
    'that it was a repeat is noted',
  )
})
