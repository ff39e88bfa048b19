import t from 'tap'
import { createAttempt } from '../src/usage/attempt.ts'
import { canonicalTags, parseTags } from '../src/usage/event.ts'
import { createPrices } from '../src/usage/prices.ts'
import { eventsOf, noon, prices, usageOf } from './usage-traffic.ts'

const attemptOn = (model: string, billable = true) => createAttempt({ model, billable, prices, now: () => noon })

t.test('an attempt is finalised once, whatever comes after', async (t) => {
  let finished = 0
  const attempt = createAttempt({
    model: 'gemini-2.5-flash',
    billable: true,
    prices,
    now: () => noon,
    onFinish: () => finished++,
  })
  const first = attempt.finish({ outcome: 'completed', usage: usageOf({ promptTokens: 10, candidateTokens: 5 }) })
  const second = attempt.finish({ outcome: 'client_abort', usage: usageOf({ promptTokens: 99 }) })
  t.equal(first, second)
  t.equal(finished, 1)
  t.equal(attempt.result?.tokens.prompt, 10)
})

t.test('what Gemini reported is booked as it is', async (t) => {
  const usage = usageOf({
    promptTokens: 1000,
    cachedTokens: 400,
    candidateTokens: 50,
    thoughtTokens: 25,
    toolUseTokens: 7,
  })
  const result = attemptOn('gemini-2.5-flash').finish({ outcome: 'completed', usage })
  t.match(result.tokens, { prompt: 1000, cached: 400, candidates: 50, thoughts: 25, toolUse: 7 })
  t.equal(result.usageSource, 'reported')
  t.equal(result.cost?.total, 600 * 300 + 400 * 30 + 75 * 2500 + 7 * 300)
  t.equal(result.providerCacheNanoUsd, 400 * 270)
})

t.test('a stream that broke off keeps what was said and estimates what was not', async (t) => {
  const result = attemptOn('gemini-2.5-flash').finish({
    outcome: 'upstream_broken',
    usage: usageOf({ promptTokens: 300, source: 'partial' }),
    deliveredTextBytes: 400,
  })
  t.equal(result.usageSource, 'partial')
  t.match(result.tokens, { prompt: 300, candidates: 100 })
})

t.test('an aborted stream with a running count keeps the running count', async (t) => {
  const result = attemptOn('gemini-2.5-flash').finish({
    outcome: 'client_abort',
    usage: usageOf({ promptTokens: 300, candidateTokens: 60, source: 'partial' }),
    deliveredTextBytes: 4000,
  })
  t.match(result.tokens, { prompt: 300, candidates: 60 })
})

t.test('an abort before the first byte is charged as an estimate of the prompt', async (t) => {
  const result = attemptOn('gemini-2.5-flash').finish({ outcome: 'client_abort', sentBytes: 4_000 })
  t.equal(result.usageSource, 'estimated')
  t.match(result.tokens, { prompt: 1000, candidates: 0 })
  t.equal(result.cost?.total, 300_000)
  const better = attemptOn('gemini-2.5-flash').finish({ outcome: 'timeout', sentBytes: 4_000, promptTokens: 800 })
  t.equal(better.tokens.prompt, 800)
})

t.test('embeddings without usage are estimated and marked so', async (t) => {
  const result = attemptOn('gemini-embedding-001').finish({ outcome: 'completed', sentBytes: 400 })
  t.equal(result.usageSource, 'estimated')
  t.equal(result.cost?.total, 15_000)
})

t.test('what Google refuses or never got costs nothing', async (t) => {
  for (const outcome of ['rate_limited', 'client_error', 'upstream_error', 'connect_failed'] as const) {
    const result = attemptOn('gemini-2.5-flash').finish({ outcome, sentBytes: 9_999 })
    t.equal(result.cost?.total, 0, outcome)
    t.equal(result.usageSource, 'none', outcome)
  }
  t.equal(attemptOn('gemini-2.5-flash').finish({ outcome: 'client_abort', sentBytes: 0 }).usageSource, 'none')
})

t.test('operations that are free cost nothing and are not unpriced', async (t) => {
  const result = attemptOn('gemini-9-ultra', false).finish({ outcome: 'completed', sentBytes: 400 })
  t.equal(result.cost?.total, 0)
})

t.test('the model that answered sets the price, and the tier that was served', async (t) => {
  const usage = usageOf({ promptTokens: 1_000_000, serviceTier: 'flex' })
  const result = attemptOn('gemini-flash-latest').finish({
    outcome: 'completed',
    usage,
    modelServed: 'gemini-2.5-flash',
  })
  t.equal(result.tier, 'flex')
  t.equal(result.cost?.total, 150_000_000)
  const header = attemptOn('gemini-2.5-flash').finish({ outcome: 'completed', usage, serviceTier: 'standard' })
  t.equal(header.cost?.total, 300_000_000, 'the header wins over the body')
})

t.test('without a price the cost is null', async (t) => {
  const usage = usageOf({ promptTokens: 10 })
  const result = attemptOn('gemini-9-ultra').finish({ outcome: 'completed', usage })
  t.equal(result.cost, null)
  t.equal(result.priceKind, 'none')
  const guessing = createPrices({ defaultUsdPerThousand: 0.001 })
  const guessed = createAttempt({ model: 'gemini-9-ultra', billable: true, prices: guessing, now: () => noon })
  t.match(guessed.finish({ outcome: 'completed', usage }), { priceKind: 'default', cost: { total: 10_000 } })
})

t.test('each attempt is booked once and one event settles the call', async (t) => {
  const usage = usageOf({ promptTokens: 1000, source: 'partial' })
  const events = eventsOf({
    attempts: [
      { outcome: 'upstream_broken', usage },
      { outcome: 'upstream_error', status: 503, error: 'UNAVAILABLE' },
      { on: 'gemini-2.5-pro', usage: usageOf({ promptTokens: 1000 }) },
    ],
    end: { source: 'fallback' },
  })
  t.same(
    events.map((event) => [event.attempt, event.final, event.source, event.outcome]),
    [
      [1, false, 'upstream', 'upstream_broken'],
      [2, false, 'upstream', 'upstream_error'],
      [3, true, 'fallback', 'completed'],
    ],
  )
  t.equal(events[0]?.overheadNanoUsd, 300_000, 'paid for nothing before the retry')
  t.equal(events[2]?.overheadNanoUsd, 0)
  t.equal(events[0]?.latencyMs, null)
  t.equal(events[2]?.latencyMs, 500)
})

t.test('an answer from memory after a failed attempt is its own event', async (t) => {
  const events = eventsOf({
    attempts: [{ outcome: 'upstream_error', status: 503, error: 'UNAVAILABLE' }],
    end: { source: 'stale', outcome: 'completed' },
  })
  t.same(
    events.map((event) => [event.attempt, event.final, event.source]),
    [
      [1, false, 'upstream'],
      [0, true, 'stale'],
    ],
  )
})

t.test('an attempt that outlives its call is booked when it ends, and counts no second call', async (t) => {
  const { createCall } = await import('../src/usage/call.ts')
  const events: { attempt: number; final: boolean; cost: number | undefined }[] = []
  const call = createCall(
    { requestId: 'r', tenant: 'a', tags: '', interaction: '', operation: 'generateContent', model: 'gemini-2.5-flash' },
    {
      prices,
      book: ({ attempt, final, cost }) => events.push({ attempt, final, cost: cost?.total }),
      now: () => noon,
    },
  )
  const attempt = call.attempt()
  call.finish({ source: 'upstream', outcome: 'client_abort', status: 0, latencyMs: 10 })
  call.finish({ source: 'upstream', outcome: 'completed', status: 200, latencyMs: 10 })
  attempt.finish({ outcome: 'completed', usage: usageOf({ promptTokens: 1000 }) })
  t.same(events, [
    { attempt: 0, final: true, cost: 0 },
    { attempt: 1, final: false, cost: 300_000 },
  ])
})

t.test("Castor's own calls are overhead and nobody's call", async (t) => {
  const events = eventsOf({
    purpose: 'embedding',
    model: 'gemini-embedding-001',
    operation: 'embedContent',
    attempts: [{ usage: usageOf({ promptTokens: 1000 }) }],
  })
  t.match(events, [{ final: false, overheadNanoUsd: 150_000, latencyMs: null }])
})

t.test('client-chosen texts are bounded and cannot carry control characters', async (t) => {
  const [event] = eventsOf({ interaction: `x\u001b[31m\n${'y'.repeat(500)}`, tenant: 'a\u0000b' })
  t.equal(event?.tenant, 'ab')
  t.equal(event?.interaction.length, 128 - 2)
  t.notMatch(event?.interaction, /\u001b|\n/)
})

t.test('tags have one form, whatever their order, and survive it', async (t) => {
  t.equal(canonicalTags({ team: 'a', cost: 'b' }), 'cost=b,team=a')
  t.same({ ...parseTags('cost=b,team=a') }, { cost: 'b', team: 'a' })
  t.equal(canonicalTags({ 'a=b': 'c,d' }), 'a_b=c_d')
  t.equal(Object.getPrototypeOf(parseTags('__proto__=x')), null)
})
