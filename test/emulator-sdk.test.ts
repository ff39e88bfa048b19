import { readFile, writeFile } from 'node:fs/promises'
import { createPartFromFunctionResponse, GoogleGenAI, type LiveServerMessage, Modality } from '@google/genai'
import t from 'tap'
import { emulatorCommand } from '../src/emulator/command.ts'
import { start } from './emulator-start.ts'

const model = 'gemini-3.5-flash'

/** The official client pointed straight at an emulator. */
async function client(t: Parameters<typeof start>[0], apiKey = 'k') {
  const emulator = await start(t)
  return { emulator, ai: new GoogleGenAI({ apiKey, httpOptions: { baseUrl: emulator.url } }) }
}

t.test('the official client generates, streams and chats', async (t) => {
  const { ai } = await client(t)
  const answer = await ai.models.generateContent({ model, contents: 'Who was Leda?' })
  t.match(answer.text, /Leda/)
  let streamed = ''
  for await (const chunk of await ai.models.generateContentStream({ model, contents: 'Who was Leda?' }))
    streamed += chunk.text ?? ''
  t.equal(streamed, answer.text)
  const chat = ai.chats.create({ model })
  for await (const _ of await chat.sendMessageStream({ message: 'Hello' }));
  t.ok((await chat.sendMessage({ message: 'Go on' })).text)
})

t.test('the official client calls functions, in parallel and streamed, signatures kept', async (t) => {
  const { ai } = await client(t)
  const names = ['get_weather', 'get_time']
  const tools = [
    { functionDeclarations: names.map((name) => ({ name, parametersJsonSchema: { type: 'object', properties: {} } })) },
  ]
  for (const streaming of [false, true]) {
    const chat = ai.chats.create({ model, config: { tools } })
    const message = 'What is the weather and the time in Sparta?'
    const calls = []
    if (streaming) {
      for await (const chunk of await chat.sendMessageStream({ message })) calls.push(...(chunk.functionCalls ?? []))
    } else calls.push(...((await chat.sendMessage({ message })).functionCalls ?? []))
    t.strictSame(
      calls.map((call) => call.name),
      names,
    )
    const results = calls.map((call) => createPartFromFunctionResponse(call.id!, call.name!, { output: 'fine' }))
    t.match((await chat.sendMessage({ message: results })).text, /"output":"fine"/)
  }
})

t.test('the official client counts, embeds and lists models', async (t) => {
  const { ai } = await client(t)
  t.equal((await ai.models.countTokens({ model, contents: 'What is the capital of France?' })).totalTokens, 8)
  const embedded = await ai.models.embedContent({
    model: 'gemini-embedding-001',
    contents: ['a', 'b'],
    config: { outputDimensionality: 8 },
  })
  t.strictSame(
    embedded.embeddings!.map((one) => one.values!.length),
    [8, 8],
  )
  const names = []
  for await (const one of await ai.models.list({ config: { pageSize: 5 } })) names.push(one.name)
  t.ok(names.includes(`models/${model}`))
})

t.test('the official client uploads in pieces, downloads and deletes files', async (t) => {
  const { ai } = await client(t)
  const directory = t.testdir({})
  await writeFile(`${directory}/large`, Buffer.alloc(20_000_000, 'x'))
  const large = await ai.files.upload({
    file: `${directory}/large`,
    config: { mimeType: 'text/plain', displayName: 'large' },
  })
  t.match(large, { sizeBytes: '20000000', displayName: 'large', state: 'ACTIVE' })
  await writeFile(`${directory}/small`, 'hello')
  const small = await ai.files.upload({ file: `${directory}/small`, config: { mimeType: 'text/plain' } })
  await ai.files.download({ file: small.name!, downloadPath: `${directory}/back` })
  t.equal(await readFile(`${directory}/back`, 'utf8'), 'hello')
  await ai.files.delete({ name: small.name! })
  await t.rejects(ai.files.get({ name: small.name! }), { name: 'ApiError', status: 403 })
})

t.test('the official client keeps caches and runs batches', async (t) => {
  const { ai } = await client(t)
  const cache = await ai.caches.create({ model, config: { contents: 'The twins sailed. '.repeat(1500), ttl: '300s' } })
  const used = await ai.models.generateContent({ model, contents: 'Who?', config: { cachedContent: cache.name! } })
  t.equal(used.usageMetadata!.cachedContentTokenCount, cache.usageMetadata!.totalTokenCount)
  await ai.caches.delete({ name: cache.name! })
  let batch = await ai.batches.create({ model, src: [{ contents: 'One?' }, { contents: 'Two?' }] })
  const states = [batch.state]
  for (let poll = 0; poll < 2; poll++) {
    batch = await ai.batches.get({ name: batch.name! })
    states.push(batch.state)
  }
  t.strictSame(states, ['JOB_STATE_PENDING', 'JOB_STATE_RUNNING', 'JOB_STATE_SUCCEEDED'])
  t.equal(batch.dest!.inlinedResponses!.length, 2)
})

t.test('the official client’s interactions stream and continue', async (t) => {
  const { ai } = await client(t)
  const first = await ai.interactions.create({ model, input: 'Tell me a story' })
  const kinds: (string | undefined)[] = []
  const stream = await ai.interactions.create({
    model,
    input: 'Go on',
    previous_interaction_id: first.id,
    stream: true,
  })
  for await (const event of stream) kinds.push(event.event_type)
  t.equal(kinds[0], 'interaction.created')
  t.equal(kinds.at(-1), 'interaction.completed')
})

t.test('the official client talks Live and is refused with a reason', async (t) => {
  const { ai, emulator } = await client(t)
  const live = 'gemini-3.1-flash-live-preview'
  const said: string[] = []
  const over = await new Promise<LiveServerMessage>((resolve) => {
    const onmessage = (message: LiveServerMessage) => {
      said.push(message.serverContent?.modelTurn?.parts?.[0]?.text ?? '')
      if (message.serverContent?.turnComplete) resolve(message)
    }
    void ai.live
      .connect({ model: live, config: { responseModalities: [Modality.TEXT] }, callbacks: { onmessage } })
      .then((session) => {
        t.teardown(() => session.close())
        session.sendClientContent({ turns: 'Hello Castor', turnComplete: true })
      })
  })
  t.match(said.join(''), /Castor/)
  t.ok(over.usageMetadata!.responseTokenCount! > 0)
  const wrong = new GoogleGenAI({ apiKey: 'bad', httpOptions: { baseUrl: emulator.url } })
  await t.rejects(wrong.live.connect({ model: live, callbacks: { onmessage: () => undefined } }), /API key not valid/)
})

t.test('the official client reports errors with status and words', async (t) => {
  const { ai, emulator } = await client(t)
  emulator.faults.add({ fault: { kind: 'error', error: 'quotaPerMinute' }, times: 1 })
  await t.rejects(ai.models.generateContent({ model, contents: 'x' }), { status: 429, message: /Please retry in 48/ })
  emulator.faults.add({ fault: { kind: 'errorTail', afterEvents: 1 }, times: 1 })
  const broken = async () => {
    for await (const _ of await ai.models.generateContentStream({ model, contents: 'x' }));
  }
  await t.rejects(broken(), { name: 'ApiError', status: 503 })
  const wrong = new GoogleGenAI({ apiKey: 'bad', httpOptions: { baseUrl: emulator.url } })
  await t.rejects(wrong.models.generateContent({ model, contents: 'x' }), { status: 400, message: /API_KEY_INVALID/ })
})

t.test('the command serves until it is told to stop, and says so when it cannot', async (t) => {
  const busy = await start(t)
  let said = ''
  const write = (text: string) => {
    said += text
  }
  t.equal(await emulatorCommand({ port: busy.port, write, signal: new AbortController().signal }), 1)
  t.match(said, /^Could not start: .*EADDRINUSE/)
  said = ''
  const stop = new AbortController()
  const running = emulatorCommand({ write, signal: stop.signal })
  while (!said.includes('__emulator')) await new Promise((resolve) => setImmediate(resolve))
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(said)![0]
  t.equal((await fetch(`${url}/__emulator/count`)).status, 200)
  stop.abort()
  t.equal(await running, 0)
  await t.rejects(fetch(url))
})
