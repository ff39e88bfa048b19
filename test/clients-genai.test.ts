/** @google/genai, the current SDK, in both its majors: 3.x speaks /v1 and knows Interactions, 1.x speaks /v1beta. */

import { FunctionCallingConfigMode, GoogleGenAI, Type } from '@google/genai'
import { GoogleGenAI as GoogleGenAI1 } from 'genai-1x'
import t from 'tap'
import { gateway } from './helper.ts'

const model = 'gemini-2.5-flash'
const versions = [
  // The 1.x types differ in names only; what is used here is the same.
  { name: '@google/genai 1', Client: GoogleGenAI1 as unknown as typeof GoogleGenAI, path: '/v1beta/' },
  { name: '@google/genai 3', Client: GoogleGenAI, path: '/v1/' },
]

for (const { name, Client, path } of versions) {
  const setUp = async (t: Parameters<typeof gateway>[0]) => {
    const gate = await gateway(t)
    return { ...gate, ai: new Client({ apiKey: 'a-key', httpOptions: { baseUrl: gate.url } }) }
  }

  t.test(`${name} chats, with and without a stream`, async (t) => {
    const { ai, emulator } = await setUp(t)
    const chat = ai.chats.create({ model, config: { systemInstruction: 'Be brief.' } })
    t.match((await chat.sendMessage({ message: 'Who was Castor?' })).text, /\w/)
    let streamed = ''
    for await (const chunk of await chat.sendMessageStream({ message: 'And his brother?' }))
      streamed += chunk.text ?? ''
    t.match(streamed, /\w/)
    t.ok(chat.getHistory().length >= 4)
    const second = JSON.parse(String(emulator.calls[1]?.body))
    t.equal(second.contents.length, 3, 'the whole history goes up')
    t.ok(
      emulator.calls.every((call) => call.url.startsWith(path)),
      `on ${path}`,
    )
  })

  t.test(`${name} makes the function calling round trip on a thinking model`, async (t) => {
    const { ai } = await setUp(t)
    const tools = [
      {
        functionDeclarations: [
          {
            name: 'get_weather',
            description: 'Weather of a city',
            parameters: { type: Type.OBJECT, properties: { city: { type: Type.STRING } }, required: ['city'] },
          },
        ],
      },
    ]
    const config = { tools, toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.AUTO } } }
    const question = { role: 'user', parts: [{ text: 'What is the weather in Sparta?' }] }
    const asked = await ai.models.generateContent({ model: 'gemini-3.5-flash', contents: [question], config })
    const [call] = asked.functionCalls ?? []
    t.equal(call?.name, 'get_weather')
    const turn = asked.candidates?.[0]?.content
    t.ok(
      turn?.parts?.some((part) => part.thoughtSignature),
      'the signature came through',
    )
    const result = {
      role: 'user',
      parts: [{ functionResponse: { id: call?.id, name: 'get_weather', response: { sky: 'clear' } } }],
    }
    const contents = [question, turn ?? {}, result]
    t.match((await ai.models.generateContent({ model: 'gemini-3.5-flash', contents, config })).text, /\w/)
  })

  t.test(`${name} gets JSON by a schema`, async (t) => {
    const { ai } = await setUp(t)
    const responseSchema = {
      type: Type.OBJECT,
      properties: { twins: { type: Type.ARRAY, items: { type: Type.STRING } }, count: { type: Type.INTEGER } },
      required: ['twins', 'count'],
    }
    const config = { responseMimeType: 'application/json', responseSchema }
    const { text } = await ai.models.generateContent({ model, contents: 'Name the two twins', config })
    const value = JSON.parse(text ?? '')
    t.ok(Array.isArray(value.twins))
    t.ok(Number.isInteger(value.count))
  })

  t.test(`${name} reports usage, counts tokens and embeds`, async (t) => {
    const { ai, emulator } = await setUp(t)
    const { usageMetadata } = await ai.models.generateContent({ model, contents: 'Count me' })
    t.equal(usageMetadata?.totalTokenCount, emulator.calls[0]?.usage?.totalTokens)
    t.ok(((await ai.models.countTokens({ model, contents: 'Count me as well, please' })).totalTokens ?? 0) > 2)
    const { embeddings } = await ai.models.embedContent({ model: 'gemini-embedding-001', contents: ['one', 'two'] })
    t.equal(embeddings?.length, 2)
    t.ok((embeddings?.[0]?.values?.length ?? 0) > 100)
  })

  t.test(`${name} lists and gets models`, async (t) => {
    const { ai } = await setUp(t)
    const names: (string | undefined)[] = []
    for await (const one of await ai.models.list({ config: { pageSize: 5 } })) names.push(one.name)
    t.ok(names.includes(`models/${model}`))
    t.ok(names.length > 5, 'over several pages')
    t.equal((await ai.models.get({ model })).name, `models/${model}`)
  })

  t.test(`${name} makes, uses, changes and deletes a cache`, async (t) => {
    const { ai, emulator } = await setUp(t)
    const text = 'Castor and Pollux are twins. '.repeat(2000)
    const cache = await ai.caches.create({
      model,
      config: { displayName: 'twins', ttl: '600s', contents: [{ role: 'user', parts: [{ text }] }] },
    })
    const cacheName = cache.name ?? ''
    t.match(cacheName, /^cachedContents\//)
    const answer = await ai.models.generateContent({
      model,
      contents: 'What are they?',
      config: { cachedContent: cacheName },
    })
    t.ok((answer.usageMetadata?.cachedContentTokenCount ?? 0) > 1000)
    t.equal((await ai.caches.get({ name: cacheName })).displayName, 'twins')
    await ai.caches.update({ name: cacheName, config: { ttl: '1200s' } })
    const listed: (string | undefined)[] = []
    for await (const one of await ai.caches.list()) listed.push(one.name)
    t.strictSame(listed, [cacheName])
    await ai.caches.delete({ name: cacheName })
    t.equal(await statusOf(ai.caches.get({ name: cacheName })), 403)
    t.strictSame(
      emulator.calls.map(({ method }) => method),
      ['POST', 'POST', 'GET', 'PATCH', 'GET', 'DELETE', 'GET'],
    )
  })

  t.test(`${name} makes, follows, cancels and deletes a batch`, async (t) => {
    const { ai, emulator } = await setUp(t)
    const src = ['one', 'two'].map((text) => ({ contents: [{ role: 'user', parts: [{ text }] }] }))
    const job = await ai.batches.create({ model, src, config: { displayName: 'two' } })
    let state = job.state as string | undefined
    for (let polls = 0; polls < 10 && state !== 'JOB_STATE_SUCCEEDED'; polls++)
      state = (await ai.batches.get({ name: job.name ?? '' })).state
    const done = await ai.batches.get({ name: job.name ?? '' })
    t.equal(done.state, 'JOB_STATE_SUCCEEDED')
    t.match(done.dest?.inlinedResponses?.[1]?.response?.candidates?.[0]?.content?.parts?.[0]?.text, /\w/)
    const other = await ai.batches.create({ model, src })
    await ai.batches.cancel({ name: other.name ?? '' })
    t.equal((await ai.batches.get({ name: other.name ?? '' })).state, 'JOB_STATE_CANCELLED')
    await ai.batches.delete({ name: job.name ?? '' })
    t.equal(await statusOf(ai.batches.get({ name: job.name ?? '' })), 404)
    t.ok(emulator.count({ method: 'DELETE', status: 200 }))
  })

  t.test(`${name} calls by a timeout of its own and is told when it passes`, async (t) => {
    const gate = await setUp(t)
    gate.emulator.faults.add({ fault: { kind: 'delay', ms: 60_000 } })
    const config = { httpOptions: { timeout: 300 } }
    await t.rejects(gate.ai.models.generateContent({ model, contents: 'Quick', config }))
    const [call] = gate.emulator.calls
    t.ok(call?.headers.some((header) => header.toLowerCase() === 'x-server-timeout'))
  })
}

t.test('@google/genai 3 holds interactions: unary, streamed, fetched, cancelled, deleted', async (t) => {
  const { url, emulator } = await gateway(t)
  const ai = new GoogleGenAI({ apiKey: 'a-key', httpOptions: { baseUrl: url } })
  const first = await ai.interactions.create({ model, input: 'Who was Castor?' })
  t.equal(first.status, 'completed')
  const stream = await ai.interactions.create({
    model,
    input: 'And Pollux?',
    previous_interaction_id: first.id,
    stream: true,
  })
  const events: string[] = []
  for await (const event of stream) events.push(event.event_type ?? '')
  t.equal(events.at(0), 'interaction.created')
  t.equal(events.at(-1), 'interaction.completed')
  t.equal((await ai.interactions.get(first.id)).id, first.id)
  const running = await ai.interactions.create({ model, input: 'Take your time', background: true })
  await ai.interactions.cancel(running.id)
  await ai.interactions.delete(first.id)
  t.equal(await statusOf(ai.interactions.get(first.id)), 404)
  t.ok(emulator.calls.every((call) => call.url.startsWith('/v1/interactions')))
})

/** The status of the ApiError that a promise must end with. */
async function statusOf(promise: Promise<unknown>): Promise<number | undefined> {
  return promise.then(
    () => undefined,
    (error: { status?: number }) => error.status,
  )
}
