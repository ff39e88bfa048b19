/** The AI SDK (ai + @ai-sdk/google). */
import { createGoogleGenerativeAI } from '@ai-sdk/google'
import { embedMany, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from 'ai'
import t, { type Test } from 'tap'
import { gateway } from './helper.ts'

const setUp = async (t: Test) => {
  const gate = await gateway(t)
  return { ...gate, google: createGoogleGenerativeAI({ apiKey: 'a-key', baseURL: `${gate.url}/v1beta` }) }
}

t.test('ai + @ai-sdk/google chats, streams and reports usage', async (t) => {
  const { google, emulator } = await setUp(t)
  const model = google('gemini-2.5-flash')
  const { text, usage } = await generateText({ model, system: 'Be brief.', prompt: 'Who was Castor?' })
  t.match(text, /\w/)
  t.equal(usage.totalTokens, emulator.calls[0]?.usage?.totalTokens)
  const stream = streamText({
    model,
    messages: [
      { role: 'user', content: 'Who was Castor?' },
      { role: 'assistant', content: text },
      { role: 'user', content: 'And Pollux?' },
    ],
  })
  t.match(await stream.text, /\w/)
  t.equal(await stream.finishReason, 'stop')
})

t.test('ai + @ai-sdk/google runs a tool and goes on with its result', async (t) => {
  const { google, emulator } = await setUp(t)
  const cities: unknown[] = []
  const weather = tool({
    description: 'Weather of a city',
    inputSchema: jsonSchema<{ city: string }>({ type: 'object', properties: { city: { type: 'string' } } }),
    execute: async (input) => {
      cities.push(input)
      return { sky: 'clear' }
    },
  })
  const { text, steps } = await generateText({
    model: google('gemini-3.5-flash'),
    prompt: 'What is the weather in Sparta?',
    tools: { get_weather: weather },
    stopWhen: stepCountIs(3),
  })
  t.equal(cities.length, 1)
  t.equal(steps.length, 2)
  t.match(text, /\w/)
  t.equal(emulator.count({ status: 200 }), 2, 'Gemini accepted the history, signature and all')
})

t.test('ai + @ai-sdk/google gets an object by a schema', async (t) => {
  const { google } = await setUp(t)
  const schema = jsonSchema<{ name: string; age: number }>({
    type: 'object',
    properties: { name: { type: 'string' }, age: { type: 'integer' } },
    required: ['name', 'age'],
  })
  const { output } = await generateText({
    model: google('gemini-2.5-flash'),
    output: Output.object({ schema }),
    prompt: 'Name one twin and her age',
  })
  t.type(output.name, 'string')
  t.ok(Number.isInteger(output.age))
})

t.test('ai + @ai-sdk/google embeds', async (t) => {
  const { google } = await setUp(t)
  const { embeddings } = await embedMany({
    model: google.embedding('gemini-embedding-001'),
    values: ['one', 'two', 'three'],
  })
  t.equal(embeddings.length, 3)
  t.ok((embeddings[0]?.length ?? 0) > 100)
})
