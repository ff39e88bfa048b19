/** The openai package on Gemini's OpenAI-compatible surface. */
import OpenAI from 'openai'
import t, { type Test } from 'tap'
import { gateway } from './helper.ts'

const model = 'gemini-2.5-flash'

const setUp = async (t: Test) => {
  const gate = await gateway(t)
  return { ...gate, client: new OpenAI({ apiKey: 'a-key', baseURL: `${gate.url}/v1beta/openai/`, maxRetries: 0 }) }
}

t.test('openai chats over several turns and streams with usage', async (t) => {
  const { client, emulator } = await setUp(t)
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Who was Castor?' },
  ]
  const answer = await client.chat.completions.create({ model, messages })
  messages.push(
    { role: 'assistant', content: answer.choices[0]?.message.content ?? '' },
    { role: 'user', content: 'And Pollux?' },
  )
  t.equal(answer.usage?.prompt_tokens, emulator.calls[0]?.usage?.promptTokens)
  const options = { model, messages, stream: true, stream_options: { include_usage: true } } as const
  let text = ''
  let total = 0
  for await (const chunk of await client.chat.completions.create(options)) {
    text += chunk.choices[0]?.delta.content ?? ''
    total = chunk.usage?.total_tokens ?? total
  }
  t.match(text, /\w/)
  t.equal(total, emulator.calls[1]?.usage?.totalTokens)
  t.ok(emulator.calls.every(({ url }) => url === '/v1beta/openai/chat/completions'))
})

t.test('openai makes the function calling round trip, with the signature of a thinking model', async (t) => {
  const { client } = await setUp(t)
  const parameters = { type: 'object', properties: { city: { type: 'string' } } }
  const tools: OpenAI.ChatCompletionTool[] = [{ type: 'function', function: { name: 'get_weather', parameters } }]
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'What is the weather in Sparta?' }]
  const asked = await client.chat.completions.create({ model: 'gemini-3.5-flash', messages, tools })
  const turn = asked.choices[0]?.message
  const [call] = turn?.tool_calls ?? []
  t.equal(call?.type === 'function' && call.function.name, 'get_weather')
  t.match(JSON.stringify(turn), 'thought_signature')
  messages.push(turn as OpenAI.ChatCompletionMessageParam, {
    role: 'tool',
    tool_call_id: call?.id ?? '',
    content: '{"sky":"clear"}',
  })
  const answer = await client.chat.completions.create({ model: 'gemini-3.5-flash', messages, tools })
  t.match(answer.choices[0]?.message.content, /\w/)
})

t.test('openai gets JSON by a schema', async (t) => {
  const { client } = await setUp(t)
  const schema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }
  const answer = await client.chat.completions.create({
    model,
    messages: [{ role: 'user', content: 'Name one twin' }],
    response_format: { type: 'json_schema', json_schema: { name: 'twin', schema } },
  })
  t.type(JSON.parse(answer.choices[0]?.message.content ?? '').name, 'string')
})

t.test('openai embeds and lists models', async (t) => {
  const { client } = await setUp(t)
  const { data } = await client.embeddings.create({ model: 'gemini-embedding-001', input: ['one', 'two'] })
  t.equal(data.length, 2)
  t.ok((data[0]?.embedding.length ?? 0) > 100)
  const ids: string[] = []
  for await (const one of client.models.list()) ids.push(one.id)
  t.ok(ids.includes(`models/${model}`))
  t.equal((await client.models.retrieve(model)).id, `models/${model}`)
})

t.test('openai keeps its own retries: a 503 that passes is asked again', async (t) => {
  const { url, emulator } = await setUp(t)
  emulator.faults.add({ fault: { kind: 'error', error: 'overloaded' }, times: 1 })
  const client = new OpenAI({ apiKey: 'a-key', baseURL: `${url}/v1beta/openai/` })
  const answer = await client.chat.completions.create({ model, messages: [{ role: 'user', content: 'Again?' }] })
  t.match(answer.choices[0]?.message.content, /\w/)
})
