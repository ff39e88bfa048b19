/** @google/generative-ai, Google's older SDK, which LangChain and many applications still use. */
import { type FunctionDeclaration, GoogleGenerativeAI, SchemaType } from '@google/generative-ai'
import { GoogleAICacheManager } from '@google/generative-ai/server'
import t, { type Test } from 'tap'
import { gateway } from './helper.ts'

const model = 'gemini-2.5-flash'

const setUp = async (t: Test) => {
  const gate = await gateway(t)
  const client = new GoogleGenerativeAI('a-key')
  return { ...gate, client, at: { baseUrl: gate.url } }
}

t.test('@google/generative-ai chats, with and without a stream', async (t) => {
  const { client, at } = await setUp(t)
  const chat = client.getGenerativeModel({ model, systemInstruction: 'Be brief.' }, at).startChat()
  t.match((await chat.sendMessage('Who was Castor?')).response.text(), /\w/)
  const { stream, response } = await chat.sendMessageStream('And his brother?')
  let streamed = ''
  for await (const chunk of stream) streamed += chunk.text()
  t.equal(streamed, (await response).text())
  t.equal((await chat.getHistory()).length, 4)
})

t.test('@google/generative-ai makes the function calling round trip', async (t) => {
  const { client, at, emulator } = await setUp(t)
  const parameters = { type: SchemaType.OBJECT, properties: { city: { type: SchemaType.STRING } } } as const
  const declaration: FunctionDeclaration = { name: 'get_weather', description: 'Weather', parameters }
  const tools = [{ functionDeclarations: [declaration] }]
  const chat = client.getGenerativeModel({ model, tools }, at).startChat()
  const { response } = await chat.sendMessage('What is the weather in Sparta?')
  t.equal(response.functionCalls()?.[0]?.name, 'get_weather')
  const result = { functionResponse: { name: 'get_weather', response: { sky: 'clear' } } }
  t.match((await chat.sendMessage([result])).response.text(), /\w/)
  t.match(String(emulator.calls[1]?.body), '"role":"function"', 'in the role that this SDK gives results')
})

t.test('@google/generative-ai gets JSON by a schema', async (t) => {
  const { client, at } = await setUp(t)
  const responseSchema = {
    type: SchemaType.OBJECT,
    properties: { name: { type: SchemaType.STRING }, age: { type: SchemaType.INTEGER } },
    required: ['name', 'age'],
  } as const
  // The SDK's schema type wants mutable arrays.
  const generationConfig = {
    responseMimeType: 'application/json',
    responseSchema: structuredClone(responseSchema) as never,
  }
  const generative = client.getGenerativeModel({ model, generationConfig }, at)
  const value = JSON.parse((await generative.generateContent('Name one twin and her age')).response.text())
  t.type(value.name, 'string')
  t.ok(Number.isInteger(value.age))
})

t.test('@google/generative-ai counts tokens and embeds', async (t) => {
  const { client, at } = await setUp(t)
  t.ok((await client.getGenerativeModel({ model }, at).countTokens('Count me, please')).totalTokens > 1)
  const embedder = client.getGenerativeModel({ model: 'gemini-embedding-001' }, at)
  t.ok((await embedder.embedContent('one')).embedding.values.length > 100)
  const requests = ['one', 'two'].map((text) => ({ content: { role: 'user', parts: [{ text }] } }))
  t.equal((await embedder.batchEmbedContents({ requests })).embeddings.length, 2)
})

t.test('@google/generative-ai makes, uses, changes and deletes a cache', async (t) => {
  const { client, at, url } = await setUp(t)
  const caches = new GoogleAICacheManager('a-key', { baseUrl: url })
  const text = 'Castor and Pollux are twins. '.repeat(2000)
  const cache = await caches.create({
    model: `models/${model}`,
    ttlSeconds: 600,
    contents: [{ role: 'user', parts: [{ text }] }],
  })
  const generative = client.getGenerativeModelFromCachedContent(cache, {}, at)
  const { usageMetadata } = (await generative.generateContent('What are they?')).response
  t.ok((usageMetadata?.cachedContentTokenCount ?? 0) > 1000)
  await caches.update(cache.name ?? '', { cachedContent: { ttlSeconds: 900 } })
  t.equal((await caches.list()).cachedContents?.length, 1)
  await caches.delete(cache.name ?? '')
  await t.rejects(caches.get(cache.name ?? ''), /403/)
})
