import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import t from 'tap'
import type { Fault } from '../src/emulator/emulator.ts'
import { gateway, gatewayTo, message, until, upstream } from './helper.ts'

const on = 'cache: { mode: "on" }'
const question = (text: string) => ({ contents: [{ role: 'user', parts: [{ text }] }] })

interface Answer {
  status: number
  body: string
  headers: Headers
}

/** One model call with a key of one's own. */
async function ask(
  url: string,
  text: string,
  options: { key?: string; path?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  const response = await fetch(`${url}${options.path ?? '/v1beta/models/gemini-2.5-flash:generateContent'}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': options.key ?? 'one', ...options.headers },
    body: options.body ?? JSON.stringify(question(text)),
  })
  return { status: response.status, body: await response.text(), headers: response.headers }
}

const cacheStatus = (answer: Answer) => answer.headers.get('cache-status')

t.test('an equal question is answered from memory, byte for byte, with its age', async (t) => {
  const { url, emulator } = await gateway(t, on)
  const first = await ask(url, 'Who was Castor?')
  t.equal(cacheStatus(first), 'castor; fwd=miss; stored')
  const second = await ask(url, 'Who was Castor?')
  t.match(cacheStatus(second), /^castor; hit; ttl=3\d\d\d; detail=exact$/)
  t.match(second.headers.get('age'), /^\d+$/)
  t.equal(second.body, first.body)
  t.equal(second.headers.get('content-type'), first.headers.get('content-type'))
  t.equal(emulator.count(), 1)
})

t.test('another spelling of the same question hits', async (t) => {
  const { url, emulator } = await gateway(t, on)
  await ask(url, 'x')
  const other = '{ "contents": [ {"parts": {"text": "\\u0078"}, "role": "user"} ] }'
  t.match(cacheStatus(await ask(url, '', { body: other })), /hit/)
  const snake = '{"contents":[{"role":"user","parts":[{"text":"y"}]}],"system_instruction":{"parts":[{"text":"z"}]}}'
  await ask(url, '', { body: snake })
  t.match(cacheStatus(await ask(url, '', { body: snake.replace('system_instruction', 'systemInstruction') })), /hit/)
  t.equal(emulator.count(), 2)
})

t.test('what differs in anything that reaches Gemini is asked again', async (t) => {
  const { url, emulator } = await gateway(t, on)
  await ask(url, 'x')
  const others: Parameters<typeof ask>[2][] = [
    { path: '/v1beta/models/gemini-2.5-pro:generateContent' },
    { path: '/v1/models/gemini-2.5-flash:generateContent' },
    { path: '/v1beta/models/gemini-2.5-flash:generateContent?fields=candidates' },
    { headers: { 'x-castor-context': 'meeting_id=1' } },
    { headers: { 'x-castor-interaction': 'summary' } },
    { headers: { 'x-goog-fieldmask': 'candidates' } },
    { body: JSON.stringify({ ...question('x'), generationConfig: { temperature: 0 } }) },
    { body: JSON.stringify({ ...question('x'), systemInstruction: { parts: [{ text: 's' }] } }) },
  ]
  for (const other of others) t.match(cacheStatus(await ask(url, 'x', other)), /fwd=miss/, JSON.stringify(other))
  t.equal(emulator.count(), 1 + others.length)
})

t.test('clients never share answers', async (t) => {
  const { url, emulator } = await gateway(t, on)
  await ask(url, 'x', { key: 'one' })
  await ask(url, 'warm', { key: 'two' })
  t.match(cacheStatus(await ask(url, 'x', { key: 'two' })), /fwd=miss/)
  t.equal(emulator.count(), 3)
})

t.test('a key that Gemini has not accepted gets no hit, and a refused one loses it', async (t) => {
  const { url, emulator, app } = await gateway(t, `${on.slice(0, -1)}, scope: shared }`)
  await ask(url, 'x', { key: 'one' })
  t.match(cacheStatus(await ask(url, 'x', { key: 'stranger' })), /fwd=miss/, 'unknown to Gemini so far')
  t.match(cacheStatus(await ask(url, 'x', { key: 'stranger' })), /hit/, 'accepted by now')
  const refused = await ask(url, 'x', { key: 'invalid-key' })
  t.equal(refused.status, 400)
  t.equal(emulator.count(), 3)
  const { cacheHolder } = app.castor
  t.ok(cacheHolder.current)
})

t.test('a stream is replayed as the same stream, and serves the other framings', async (t) => {
  const { url, emulator } = await gateway(t, on)
  const sse = '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse'
  const first = await ask(url, 'Tell a story', { path: sse })
  const again = await ask(url, 'Tell a story', { path: sse })
  t.match(cacheStatus(again), /hit/)
  t.equal(again.body, first.body)
  t.equal(again.headers.get('content-type'), 'text/event-stream')
  const unary = await ask(url, 'Tell a story')
  t.match(cacheStatus(unary), /hit/)
  t.match(JSON.parse(unary.body), { candidates: [{ finishReason: 'STOP' }] })
  const array = await ask(url, 'Tell a story', { path: '/v1beta/models/gemini-2.5-flash:streamGenerateContent' })
  t.match(cacheStatus(array), /hit/)
  t.ok(Array.isArray(JSON.parse(array.body)))
  t.equal(emulator.count(), 1)
})

t.test('the SDKs read converted answers like real ones', async (t) => {
  const { url, emulator } = await gateway(t, on)
  const ai = new GoogleGenAI({ apiKey: 'one', httpOptions: { baseUrl: url } })
  const request = { model: 'gemini-2.5-flash', contents: 'Who was Pollux?' }
  const unary = await ai.models.generateContent(request)
  let streamed = ''
  for await (const chunk of await ai.models.generateContentStream(request)) streamed += chunk.text ?? ''
  t.equal(streamed, unary.text)
  const openai = new OpenAI({ apiKey: 'one', baseURL: `${url}/v1beta/openai/` })
  const chat = { model: 'gemini-2.5-flash', messages: [{ role: 'user' as const, content: 'Who was Leda?' }] }
  let text = ''
  for await (const chunk of await openai.chat.completions.create({
    ...chat,
    stream: true,
    stream_options: { include_usage: true },
  })) {
    text += chunk.choices[0]?.delta.content ?? ''
  }
  const whole = await openai.chat.completions.create(chat)
  t.equal(whole.choices[0]?.message.content, text)
  t.equal(emulator.count(), 2)
})

t.test('embeddings and token counts are remembered', async (t) => {
  const { url, emulator } = await gateway(t, on)
  const embed = {
    path: '/v1beta/models/gemini-embedding-001:embedContent',
    body: '{"content":{"parts":[{"text":"x"}]}}',
  }
  const count = { path: '/v1beta/models/gemini-2.5-flash:countTokens' }
  await ask(url, '', embed)
  t.match(cacheStatus(await ask(url, '', embed)), /hit/)
  await ask(url, 'x', count)
  t.match(cacheStatus(await ask(url, 'x', count)), /hit/)
  t.equal(emulator.count(), 2)
})

t.test('Cache-Control is obeyed and goes no further', async (t) => {
  const { url, emulator } = await gateway(t, on)
  const control = (value: string) => ({ headers: { 'cache-control': value } })
  const refused = await ask(url, 'x', control('only-if-cached'))
  t.equal(refused.status, 504)
  t.match(JSON.parse(refused.body), {
    error: { status: 'DEADLINE_EXCEEDED', details: [{ reason: 'CASTOR_NOT_IN_CACHE' }] },
  })
  await ask(url, 'x', control('no-store'))
  t.match(cacheStatus(await ask(url, 'x')), /fwd=miss/, 'no-store kept nothing')
  t.equal(cacheStatus(await ask(url, 'x', control('no-cache'))), 'castor; fwd=request; stored')
  t.match(cacheStatus(await ask(url, 'x', control('max-age=60'))), /hit/)
  t.match(cacheStatus(await ask(url, 'x', control('only-if-cached'))), /hit/)
  t.equal(emulator.count(), 3)
  for (const { headers } of emulator.calls) t.notOk(headers.some((name) => /^cache-control$/i.test(name)))
})

t.test('answers that are not whole are never kept', async (t) => {
  const { url, emulator } = await gateway(t, on)
  const faults: Fault[] = [
    { kind: 'finish', reason: 'SAFETY' },
    { kind: 'finish', reason: 'MAX_TOKENS' },
    { kind: 'block' },
    { kind: 'error', error: 'overloaded' },
  ]
  for (const [index, fault] of faults.entries()) {
    emulator.faults.add({ fault, times: 1 })
    const text = `fault ${index}`
    await ask(url, text)
    t.notMatch(cacheStatus(await ask(url, text)), /hit/, JSON.stringify(fault))
  }
})

t.test('equal calls in flight share one call to Gemini', async (t) => {
  const { url, emulator } = await gateway(t, on, { emulator: { firstByteMs: 150 } })
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(url, 'together')))
  t.equal(emulator.count(), 1)
  t.equal(new Set(answers.map(({ body }) => body)).size, 1)
  t.equal(answers.filter((answer) => cacheStatus(answer) === 'castor; hit; detail=coalesced').length, 19)
})

t.test('a leader that leaves does not take its followers along', async (t) => {
  const { url, emulator } = await gateway(t, on, { emulator: { firstByteMs: 200 } })
  const leaving = new AbortController()
  const leader = fetch(`${url}/v1beta/models/gemini-2.5-flash:generateContent`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': 'one' },
    body: JSON.stringify(question('stay')),
    signal: leaving.signal,
  }).catch((error: Error) => error.name)
  await until(() => emulator.count() === 1)
  const follower = ask(url, 'stay')
  await until(() => (emulator.calls.length as number) === 1)
  await new Promise((resolve) => setTimeout(resolve, 30))
  leaving.abort()
  t.equal(await leader, 'AbortError')
  t.equal((await follower).status, 200)
  t.equal(emulator.count(), 1)
  t.notOk(emulator.calls[0]?.aborted)
})

t.test('a leader that leaves alone cancels the call', async (t) => {
  const { url, emulator } = await gateway(t, on, { emulator: { firstByteMs: 5000 } })
  const leaving = new AbortController()
  const leader = fetch(`${url}/v1beta/models/gemini-2.5-flash:generateContent`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': 'one' },
    body: JSON.stringify(question('leave')),
    signal: leaving.signal,
  }).catch((error: Error) => error.name)
  await until(() => emulator.count() === 1)
  leaving.abort()
  await leader
  await until(() => emulator.calls[0]?.aborted === true, 1000, 'the abort upstream')
})

t.test('an old answer stands in when Gemini fails, and says so', async (t) => {
  const { url, emulator, app } = await gateway(t, 'cache: { mode: "on", ttl: 1s, staleIfError: 1h }')
  const fresh = await ask(url, 'x')
  const realNow = Date.now
  // The cache's clock is the wall clock; only it is moved on.
  Date.now = () => realNow() + 5000
  t.teardown(() => {
    Date.now = realNow
  })
  emulator.faults.add({ fault: { kind: 'error', error: 'overloaded' }, times: 1 })
  const stale = await ask(url, 'x')
  t.equal(stale.status, 200)
  t.match(cacheStatus(stale), /^castor; hit; ttl=-\d+; detail=stale$/)
  t.equal(stale.body, fresh.body)
  t.match(cacheStatus(await ask(url, 'x')), /fwd=miss/, 'Gemini is well again')
  t.equal(app.castor.load.inFlight, 0)
})

t.test('a restart answers from disk', async (t) => {
  const { emulator, dataDir, close } = await gateway(t, on)
  void dataDir
  await close()
  const dir = t.testdir()
  const settings = `cache: { mode: "on" }\ndataDir: ${JSON.stringify(dir)}`
  const before = await gatewayTo(t, emulator.url, settings)
  await ask(before.url, 'x')
  await before.app.castor.cacheHolder.current?.tiers.flush()
  await before.app.close()
  const after = await gatewayTo(t, emulator.url, settings)
  await ask(after.url, 'make the key known')
  t.match(cacheStatus(await ask(after.url, 'x')), /hit/)
})

t.test('shadow mode asks every time and counts what it would have saved', async (t) => {
  const { url, emulator } = await gateway(t, 'cache: { mode: shadow }')
  await ask(url, 'x')
  const again = await ask(url, 'x')
  t.equal(cacheStatus(again), 'castor; fwd=bypass; detail=shadow')
  t.equal(emulator.count(), 2)
  t.match(await (await fetch(`${url}/metrics`)).text(), /castor_cache_requests_total\{result="shadow"\} 1/)
})

t.test('a gzipped answer serves clients that accept gzip and those that do not', async (t) => {
  const { url, app } = await gateway(t, on, { emulator: { gzip: true } })
  const first = await ask(url, 'x', { headers: { 'accept-encoding': 'gzip' } })
  // It is inflated in the thread pool before it is kept.
  let kept = 0
  const looking = setInterval(
    () => void app.castor.cacheHolder.current?.tiers.stats().then(({ memory }) => (kept = memory.entries)),
    5,
  )
  t.teardown(() => clearInterval(looking))
  await until(() => kept === 1)
  const second = await ask(url, 'x', { headers: { 'accept-encoding': 'identity' } })
  t.match(cacheStatus(second), /hit/)
  t.equal(second.body, first.body)
})

t.test('a store that cannot be opened leaves the gateway working', async (t) => {
  const peer = await upstream(t, () => ({
    slices: [
      message(
        'HTTP/1.1 200 OK',
        [
          ['content-type', 'application/json'],
          ['content-length', '17'],
        ],
        '{"candidates":[]}',
      ),
    ],
  }))
  const { url } = await gatewayTo(
    t,
    peer.url,
    'cache: { mode: "on", store: redis }\nredis: { url: "redis://127.0.0.1:1" }',
  )
  t.equal((await ask(url, 'x')).status, 200)
})
