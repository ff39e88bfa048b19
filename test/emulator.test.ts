import { createServer } from 'node:http'
import { connect } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { arrayElement, arrayEnd, pretty, sseEvent } from '../src/emulator/framing.ts'
import { parseRoute } from '../src/emulator/route.ts'
import { ask, events, noRecordings, type Reply, recordings, says, start } from './emulator-start.ts'

const flash = '/v1beta/models/gemini-3.5-flash'
const older = '/v1beta/models/gemini-2.5-flash'

t.test('recorded answers printed again are the same bytes', { skip: noRecordings }, async (t) => {
  // floats are printed by other rules than JavaScript's, and placeholders were put in by recorders
  const odd = /-?\d\.\d{14,}|\de-\d\d|<[A-Z_]+>/
  let same = 0
  for (const recording of recordings('raw')) {
    const body = recording.responseBody
    const ours = /^(generateContent|streamGenerateContent|countTokens|cachedContents|batches|models)$/.test(
      recording.kind,
    )
    if (recording.status !== 200 || !body || !ours || odd.test(body)) continue
    let again = ''
    if (body.startsWith('data: '))
      again = events(body)
        .map((event) => sseEvent(JSON.parse(JSON.stringify(event))))
        .join('')
    else if (body.startsWith('[')) again = `${JSON.parse(body).map(arrayElement).join('')}${arrayEnd}`
    else again = pretty(JSON.parse(body))
    t.equal(again, body, recording.file)
    same++
  }
  t.ok(same > 200, `${same} recordings compared`)
})

t.test('a unary answer is pretty JSON with headers as Google sends them', { skip: noRecordings }, async (t) => {
  const emulator = await start(t)
  const answer = await ask(emulator, `${flash}:generateContent`, says('Who were <Castor> & Pollux?'))
  t.equal(answer.status, 200)
  t.equal(answer.text, pretty(JSON.parse(answer.text)))
  t.notMatch(answer.text, /[<>]/)
  const recorded = recordings('raw').find((one) => one.file === 'ruby_llm/0112-generateContent-200.json')!
  for (const name of Object.keys(recorded.responseHeaders)) t.ok(answer.headers.has(name), name)
  t.equal(answer.headers.get('content-type'), 'application/json; charset=UTF-8')
  t.equal(answer.headers.get('x-gemini-service-tier'), 'standard')
  const recordedBody = JSON.parse(recorded.responseBody!)
  t.strictSame(Object.keys(answer.json<Reply>()), Object.keys(recordedBody))
  t.strictSame(Object.keys(answer.json<Reply>().usageMetadata), Object.keys(recordedBody.usageMetadata))
})

t.test('vary comes as three header lines and no Connection header at all', async (t) => {
  const emulator = await start(t)
  const body = JSON.stringify(says('Hello'))
  const head = await new Promise<string>((resolve) => {
    const socket = connect(emulator.port, '127.0.0.1')
    socket.write(
      `POST ${older}:generateContent?key=k HTTP/1.1\r\nHost: gemini\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    socket.once('data', (data) => {
      socket.destroy()
      resolve(data.toString().split('\r\n\r\n')[0]!)
    })
  })
  t.equal(head.match(/^Vary: /gm)?.length, 3)
  t.notMatch(head, /^(Connection|Keep-Alive):/im)
})

t.test('SSE events are one line each, end with CRLF CRLF, and carry usage', async (t) => {
  const emulator = await start(t, { chunkTokens: 8, answerTokens: 60 })
  const answer = await ask(emulator, `${flash}:streamGenerateContent?alt=sse`, says('Tell me about the Dioscuri'))
  t.equal(answer.headers.get('content-type'), 'text/event-stream')
  t.match(answer.text, /^(data: \{[^\r\n]+\}\r\n\r\n)+$/)
  const chunks = events(answer.text)
  t.ok(chunks.length > 4)
  t.ok(chunks.every((chunk) => chunk.usageMetadata.totalTokenCount! > 0))
  t.ok(chunks.slice(0, -1).every((chunk) => chunk.candidates[0]!.finishReason === undefined))
  t.equal(chunks.at(-1)!.candidates[0]!.finishReason, 'STOP')
  t.equal(new Set(chunks.map((chunk) => chunk.responseId)).size, 1)
})

t.test('without alt=sse a stream is a JSON array, whatever the body says', async (t) => {
  const emulator = await start(t, { chunkTokens: 8 })
  const answer = await ask(emulator, `${older}:streamGenerateContent`, says('Tell me about Leda'))
  t.equal(answer.headers.get('content-type'), 'application/json; charset=UTF-8')
  t.match(answer.text, /^\[\{\n {2}"candidates"/)
  t.match(answer.text, /\n\}\n,\r\n\{\n/)
  t.match(answer.text, /\n\}\n\]$/)
  t.ok(answer.json<Reply[]>().length > 1)
})

t.test('$alt=json;enum-encoding=int answers enums as integers', async (t) => {
  const emulator = await start(t)
  const path = `${older}:streamGenerateContent?%24alt=json%3Benum-encoding%3Dint`
  const chunks = (await ask(emulator, path, says('Hello'))).json<Reply[]>()
  t.equal(chunks.at(-1)!.candidates[0]!.finishReason, 1)
  t.equal(chunks[0]!.usageMetadata.promptTokensDetails![0]!.modality, 1)
})

t.test('the same request gets the same words, another prompt or seed others', async (t) => {
  const words = async (seed: number, prompt: string, path = ':generateContent') => {
    const emulator = await start(t, { seed })
    const answer = await ask(emulator, older + path, says(prompt))
    const chunks = path === ':generateContent' ? [answer.json<Reply>()] : events(answer.text)
    return chunks.map((chunk) => chunk.candidates[0]!.content.parts![0]!.text).join('')
  }
  const first = await words(1, 'Where does Castor live?')
  t.equal(await words(1, 'Where does Castor live?'), first)
  t.equal(await words(1, 'Where does Castor live?', ':streamGenerateContent?alt=sse'), first)
  t.not(await words(2, 'Where does Castor live?'), first)
  t.not(await words(1, 'Where does Pollux live?'), first)
})

t.test('usage adds up in every chunk of every kind of request', async (t) => {
  const emulator = await start(t, { chunkTokens: 5 })
  const models = ['gemini-2.0-flash', 'gemini-2.5-pro', 'gemini-3.5-flash', 'gemini-4-argon']
  const request = fc.record({
    model: fc.constantFrom(...models),
    prompt: fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' }),
    config: fc.record(
      {
        maxOutputTokens: fc.integer({ min: 1, max: 300 }),
        candidateCount: fc.integer({ min: 1, max: 3 }),
        thinkingConfig: fc.record({ includeThoughts: fc.boolean() }),
      },
      { requiredKeys: [] },
    ),
    tools: fc.constantFrom([], [{ urlContext: {} }], [{ functionDeclarations: [{ name: 'look' }] }]),
  })
  await fc.assert(
    fc.asyncProperty(request, async ({ model, prompt, config, tools }) => {
      const body = says(prompt, { generationConfig: config, tools })
      const answer = await ask(emulator, `/v1/models/${model}:streamGenerateContent?alt=sse`, body)
      for (const { usageMetadata: usage } of events(answer.text)) {
        const parts = ['promptTokenCount', 'candidatesTokenCount', 'thoughtsTokenCount', 'toolUsePromptTokenCount']
        const sum = parts.reduce((total, name) => total + (usage[name] ?? 0), 0)
        if (sum !== usage.totalTokenCount) return false
        const details = usage.promptTokensDetails!.reduce((total, one) => total + one.tokenCount, 0)
        if (details !== usage.promptTokenCount) return false
      }
      return true
    }),
    { numRuns: 60 },
  )
})

t.test('a small maxOutputTokens ends with MAX_TOKENS, thoughts included in the budget', async (t) => {
  const emulator = await start(t)
  const body = says('Explain everything', { generationConfig: { maxOutputTokens: 20 } })
  const answer = (await ask(emulator, `${flash}:generateContent`, body)).json<Reply>()
  t.equal(answer.candidates[0]!.finishReason, 'MAX_TOKENS')
  const { candidatesTokenCount, thoughtsTokenCount } = answer.usageMetadata
  t.ok(candidatesTokenCount! + thoughtsTokenCount! <= 20)
})

t.test('thoughts are counted, shown on demand, and switched off by a budget of 0', async (t) => {
  const emulator = await start(t)
  const generate = async (thinkingConfig: object) =>
    (
      await ask(emulator, `${older}:generateContent`, says('Why?', { generationConfig: { thinkingConfig } }))
    ).json<Reply>()
  const shown = await generate({ includeThoughts: true })
  t.equal(shown.candidates[0]!.content.parts![0]!.thought, true)
  t.ok(shown.usageMetadata.thoughtsTokenCount! > 0)
  t.equal((await generate({ thinkingBudget: 0 })).usageMetadata.thoughtsTokenCount, undefined)
})

t.test('Gemini 4 continues a long answer on the same request and a token', async (t) => {
  const emulator = await start(t, { continuationTokens: 20, answerTokens: 80 })
  const path = '/v1/models/gemini-4-argon:generateContent'
  const first = (await ask(emulator, path, says('A long story'))).json<Reply>().candidates[0]!
  t.equal(first.finishReason, 'CONTINUATION')
  const body = says('A long story', { continuationToken: first.continuationToken })
  const second = (await ask(emulator, path, body)).json<Reply>().candidates[0]!
  t.equal(second.finishReason, 'STOP')
  t.not(second.content.parts![0]!.text, first.content.parts![0]!.text)
})

t.test('a prompt prefix seen before is reported as cached, per key and above the minimum', async (t) => {
  const emulator = await start(t)
  const long = 'The twins sailed with the Argonauts. '.repeat(800)
  const cached = async (question: string, key: string, model: string) => {
    const headers = { 'x-goog-api-key': key }
    const answer = await ask(emulator, `/v1beta/models/${model}:generateContent`, says(long + question), { headers })
    return answer.json<Reply>().usageMetadata.cachedContentTokenCount ?? 0
  }
  t.equal(await cached('Who?', 'one', 'gemini-3.5-flash'), 0)
  t.ok((await cached('Where?', 'one', 'gemini-3.5-flash')) > 4096)
  t.equal(await cached('Where?', 'two', 'gemini-3.5-flash'), 0)
  t.equal(await cached('Where?', 'one', 'gemini-2.5-pro'), 0)
})

t.test('Google Search grounding names its queries', async (t) => {
  const emulator = await start(t)
  const body = says('Who won the race at Olympia?', { tools: [{ google_search: {} }] })
  const chunks = events((await ask(emulator, `${flash}:streamGenerateContent?alt=sse`, body)).text)
  t.ok(chunks.at(-1)!.candidates[0]!.groundingMetadata!.webSearchQueries.length > 0)
  t.equal(chunks[0]!.candidates[0]!.groundingMetadata, undefined)
})

t.test('every version and spelling of a path leads to the same place', async (t) => {
  for (const version of ['v1', 'v1beta', 'v1alpha']) {
    t.match(parseRoute(`/${version}/models/m:generateContent`), { operation: 'generateContent', model: 'm', version })
  }
  t.match(parseRoute('//v1beta/models/m%3AstreamGenerateContent?alt=sse'), { model: 'm', framing: 'sse' })
  t.match(parseRoute('/v1/projects/p/locations/l/publishers/google/models/m:countTokens'), {
    dialect: 'vertex',
    model: 'm',
  })
  t.match(parseRoute('/v1beta1/publishers/google/models/m:generateContent'), { dialect: 'vertex', model: 'm' })
  t.match(parseRoute('/v1beta/tunedModels/x:generateContent'), { model: 'x', operation: 'generateContent' })
  t.match(parseRoute('/v1beta/openai/chat/completions'), { dialect: 'openai', operation: 'chat/completions' })
  t.match(parseRoute('//ws/google.ai.generativelanguage.v1.GenerativeService.BidiGenerateContent?key=k'), {
    dialect: 'live',
  })
  t.match(parseRoute('/v1beta/models/m/operations/o'), { operation: 'operations', name: 'models/m/operations/o' })
})

t.test('both casings and a single part without brackets are understood', async (t) => {
  const emulator = await start(t)
  const camel = {
    contents: [{ parts: { text: 'Hello' } }],
    systemInstruction: { parts: { text: 'Be brief' } },
    generationConfig: { maxOutputTokens: 9 },
  }
  const snake = {
    contents: [{ parts: [{ text: 'Hello' }] }],
    system_instruction: { parts: [{ text: 'Be brief' }] },
    generation_config: { max_output_tokens: 9 },
  }
  const [one, other] = [
    await ask(emulator, `${flash}:generateContent`, camel),
    await ask(emulator, `${flash}:generateContent`, snake),
  ]
  t.equal(one.json<Reply>().usageMetadata.promptTokenCount, other.json<Reply>().usageMetadata.promptTokenCount)
  t.equal(other.json<Reply>().candidates[0]!.finishReason, 'MAX_TOKENS')
})

t.test('calls are recorded with key, model, usage and outcome, and forgotten on reset', async (t) => {
  const emulator = await start(t)
  await ask(emulator, `${older}:generateContent`, says('Hi'))
  await ask(emulator, `${older}:countTokens`, says('Hi'))
  t.match(emulator.calls[0], {
    method: 'POST',
    operation: 'generateContent',
    model: 'gemini-2.5-flash',
    key: 'test-key',
    status: 200,
    aborted: false,
  })
  t.strictSame(JSON.parse(emulator.calls[0]!.body.toString()), says('Hi'))
  t.equal(emulator.count(), 2)
  t.equal(emulator.count({ operation: 'countTokens' }), 1)
  t.equal(
    emulator.count((call) => call.usage !== undefined),
    1,
  )
  t.equal(emulator.usageTotals().totalTokens, emulator.calls[0]!.usage!.totalTokens)
  emulator.reset()
  t.equal(emulator.count(), 0)
  t.equal(emulator.usageTotals().totalTokens, 0)
})

t.test('kept calls and bodies stay within their bounds', async (t) => {
  const emulator = await start(t, { keepCalls: 20, keepBytes: 1000 })
  for (let index = 0; index < 30; index++)
    await ask(emulator, `${older}:countTokens`, says(`number ${index} ${'x'.repeat(100)}`))
  t.ok(emulator.calls.length <= 20)
  t.equal(emulator.count(), 30)
  t.ok(emulator.calls.reduce((sum, call) => sum + call.body.length, 0) <= 1000)
  t.match(emulator.calls.at(-1)!.body.toString(), /number 29/)
})

t.test('a client that leaves is recorded as aborted, at once', async (t) => {
  const emulator = await start(t, { tokensPerSecond: 1, chunkTokens: 5 })
  const controller = new AbortController()
  const response = fetch(`${emulator.url}${older}:streamGenerateContent?alt=sse`, {
    method: 'POST',
    headers: { 'x-goog-api-key': 'k' },
    body: JSON.stringify(says('Hi')),
    signal: controller.signal,
  })
  while (emulator.calls.length === 0) await new Promise((resolve) => setImmediate(resolve))
  controller.abort()
  await t.rejects(response)
  while (emulator.calls[0]!.endedAt === 0) await new Promise((resolve) => setImmediate(resolve))
  t.equal(emulator.calls[0]!.aborted, true)
})

t.test('close ends open streams at once and frees the port', async (t) => {
  const emulator = await start(t, { firstByteMs: 600_000 })
  const pending = ask(emulator, `${older}:generateContent`, says('Hi'))
  while (emulator.openSockets() === 0) await new Promise((resolve) => setImmediate(resolve))
  await emulator.close()
  await t.rejects(pending)
  t.equal(emulator.openSockets(), 0)
  const again = createServer()
  await new Promise<void>((resolve) => again.listen(emulator.port, '127.0.0.1', resolve))
  again.close()
})
