import t from 'tap'
import { WebSocket } from 'ws'
import { ask, type ErrorReply, events, noRecordings, type Reply, recordings, says, start } from './emulator-start.ts'

const bearer = { headers: { authorization: 'Bearer test-key', 'content-type': 'application/json' } }
const chat = '/v1beta/openai/chat/completions'

interface Completion {
  choices: {
    finish_reason?: string
    message: {
      content?: string
      tool_calls?: { id: string; function: { name: string; arguments: string }; extra_content?: object }[]
    }
    delta?: { content?: string }
  }[]
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number }
}

t.test('chat completions answer in OpenAI’s shape, errors in an array', async (t) => {
  const emulator = await start(t)
  const body = {
    model: 'gemini-2.5-flash',
    messages: [
      { role: 'system', content: 'Be brief' },
      { role: 'user', content: 'Hello Leda' },
    ],
  }
  const answer = await ask(emulator, chat, body, bearer)
  const completion = answer.json<Completion>()
  t.match(completion, {
    object: 'chat.completion',
    choices: [{ finish_reason: 'stop', message: { role: 'assistant' } }],
  })
  t.equal(emulator.calls[0]!.usage!.totalTokens, completion.usage!.total_tokens)
  t.equal(emulator.calls[0]!.model, 'gemini-2.5-flash')
  const missing = await ask(emulator, chat, body, { headers: {} })
  t.match(missing.json(), [{ error: { code: 400, message: 'Missing or invalid Authorization header.' } }])
  const wrong = await ask(emulator, chat, { ...body, model: 'gpt-4' }, bearer)
  t.match(wrong.json(), [{ error: { code: 404 } }])
})

t.test('streamed completions end with [DONE], usage only when asked', async (t) => {
  const emulator = await start(t)
  const body = { model: 'gemini-2.5-flash', stream: true, messages: [{ role: 'user', content: 'Hello Leda' }] }
  const plain = (await ask(emulator, chat, body, bearer)).text
  t.match(plain, /^(data: \{[^\n]+\}\n\n)+data: \[DONE\]\n\n$/)
  t.notMatch(plain, /usage/)
  const counted = (await ask(emulator, chat, { ...body, stream_options: { include_usage: true } }, bearer)).text
  const chunks = counted
    .split('\n\n')
    .slice(0, -2)
    .map((line) => JSON.parse(line.slice(6)) as Completion)
  t.match(chunks.at(-1), { choices: [], usage: { total_tokens: Number } })
  t.equal(chunks.at(-2)!.choices[0]!.finish_reason, 'stop')
})

t.test('tool calls carry the signature that Gemini 3 wants back', async (t) => {
  const emulator = await start(t)
  const tools = [
    {
      type: 'function',
      function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
    },
  ]
  const ask1 = {
    model: 'gemini-3.5-flash',
    tools,
    messages: [{ role: 'user', content: 'What is the weather in Sparta?' }],
  }
  const first = (await ask(emulator, chat, ask1, bearer)).json<Completion>().choices[0]!
  t.equal(first.finish_reason, 'tool_calls')
  const call = first.message.tool_calls![0]!
  t.strictSame(JSON.parse(call.function.arguments), { city: 'Sparta' })
  const reply = (message: object) => ({
    ...ask1,
    messages: [...ask1.messages, message, { role: 'tool', tool_call_id: call.id, content: '{"sky":"clear"}' }],
  })
  const second = (await ask(emulator, chat, reply({ role: 'assistant', ...first.message }), bearer)).json<Completion>()
  t.match(second.choices[0]!.message.content, /get_weather result is \{"sky":"clear"\}/)
  const { extra_content: _, ...stripped } = call
  const refused = await ask(emulator, chat, reply({ role: 'assistant', tool_calls: [stripped] }), bearer)
  t.match(refused.json<ErrorReply[]>()[0]!.error.message, /missing a thought_signature/)
})

t.test('OpenAI embeddings come as numbers or as base64 floats; models are listed', async (t) => {
  const emulator = await start(t)
  const embed = async (encoding_format: string) => {
    const body = { model: 'gemini-embedding-001', input: ['one', 'two'], dimensions: 16, encoding_format }
    return (await ask(emulator, '/v1beta/openai/embeddings', body, bearer)).json<{
      data: { embedding: number[] | string }[]
    }>().data
  }
  const numbers = (await embed('float'))[1]!.embedding as number[]
  const packed = Buffer.from((await embed('base64'))[1]!.embedding as string, 'base64')
  t.ok(numbers.every((value, index) => Math.abs(value - packed.readFloatLE(index * 4)) < 1e-6))
  t.match((await ask(emulator, '/v1beta/openai/models', undefined, bearer)).json(), {
    object: 'list',
    data: [{ id: /^models\// }],
  })
})

t.test('a streamed interaction speaks the recorded dialect', { skip: noRecordings }, async (t) => {
  const emulator = await start(t)
  const recorded = recordings('raw').find((one) => one.file === 'openinference/0055-interactions-stream-200.json')!
  const answer = await ask(emulator, '/v1beta/interactions', {
    ...JSON.parse(recorded.requestBody),
    model: 'gemini-3.5-flash',
  })
  t.equal(answer.headers.get('content-type'), 'text/event-stream')
  const names = (text: string) => [...new Set(text.match(/^event: .*$/gm))]
  t.strictSame(names(answer.text), names(recorded.responseBody!))
  t.ok(answer.text.endsWith('event: done\ndata: [DONE]\n\n'))
  t.notMatch(answer.text, /\r/)
  const shape = (text: string) =>
    text
      .split('\n\n')
      .filter((one) => one.includes('completed"'))
      .map((one) => {
        const { interaction } = JSON.parse(one.slice(one.indexOf('data: ') + 6))
        return [Object.keys(interaction), Object.keys(interaction.usage)]
      })
  t.strictSame(shape(answer.text), shape(recorded.responseBody!))
})

t.test('interactions are kept, continued, cancelled and deleted, by their own key', async (t) => {
  const emulator = await start(t)
  const create = async (body: object) =>
    (await ask(emulator, '/v1/interactions', { model: 'gemini-3.5-flash', ...body })).json<{
      id: string
      status: string
      usage: Record<string, number>
      steps: object[]
    }>()
  const first = await create({ input: 'Tell me about Helen of Troy' })
  t.equal(first.status, 'completed')
  t.strictSame((await ask(emulator, `/v1/interactions/${first.id}`)).json(), first)
  t.equal(
    (await ask(emulator, `/v1/interactions/${first.id}`, undefined, { headers: { 'x-goog-api-key': 'other' } })).status,
    404,
  )
  const next = await create({ input: 'And then?', previous_interaction_id: first.id })
  t.ok(next.usage.total_input_tokens! > first.usage.total_input_tokens!)
  const background = await create({ input: 'Think long', background: true })
  t.equal(background.status, 'in_progress')
  t.match((await ask(emulator, `/v1/interactions/${background.id}/cancel`, {})).json(), { status: 'cancelled' })
  t.equal((await ask(emulator, `/v1/interactions/${first.id}`, undefined, { method: 'DELETE' })).status, 200)
  t.equal((await ask(emulator, `/v1/interactions/${first.id}`)).status, 404)
  const unkept = await create({ input: 'Forget me', store: false })
  t.equal((await ask(emulator, `/v1/interactions/${unkept.id}`)).status, 404)
})

t.test('an interaction asks for a function and goes on with its result', async (t) => {
  const emulator = await start(t)
  const tools = [
    { type: 'function', name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
  ]
  const create = async (body: object) =>
    (await ask(emulator, '/v1/interactions', { model: 'gemini-3.5-flash', tools, ...body })).json<{
      id: string
      status: string
      steps: { type: string; id?: string; content?: { text: string }[] }[]
    }>()
  const first = await create({ input: 'What is the weather in Sparta?' })
  t.equal(first.status, 'requires_action')
  const call = first.steps.find((step) => step.type === 'function_call')!
  const input = [{ type: 'function_result', call_id: call.id, name: 'get_weather', result: { sky: 'clear' } }]
  const second = await create({ previous_interaction_id: first.id, input })
  t.equal(second.status, 'completed')
  t.match(second.steps.at(-1)!.content![0]!.text, /"sky":"clear"/)
})

t.test(
  'Vertex paths answer in Vertex’s shape: role first, no index, traffic type until the end',
  { skip: noRecordings },
  async (t) => {
    const emulator = await start(t, { chunkTokens: 8 })
    const path =
      '/v1beta1/projects/p/locations/europe-west1/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse'
    const oauth = { headers: { authorization: 'Bearer ya29.token' } }
    const answer = await ask(emulator, path, says('Hello Leda'), oauth)
    const recorded = recordings('raw').find(
      (one) => one.file === 'ruby_llm/0078-streamGenerateContent-stream-200.json',
    )!
    const [ours, theirs] = [events(answer.text), events(recorded.responseBody!)]
    t.strictSame(Object.keys(ours[0]!), Object.keys(theirs[0]!))
    t.strictSame(Object.keys(ours[0]!.candidates[0]!), Object.keys(theirs[0]!.candidates[0]!))
    t.strictSame(ours[0]!.usageMetadata, theirs[0]!.usageMetadata)
    t.ok(Number(ours.at(-1)!.usageMetadata.totalTokenCount) > 0)
    t.equal(answer.headers.get('x-gemini-service-tier'), null)
    const nameless = { contents: [{ parts: [{ text: 'Hi' }] }] }
    t.equal((await ask(emulator, path, nameless, oauth)).status, 400)
    const count = path.replace('streamGenerateContent?alt=sse', 'countTokens')
    t.match((await ask(emulator, count, says('Hello'), oauth)).json(), { totalBillableCharacters: Number })
  },
)

type Tap = Parameters<typeof start>[0]
type Frame = Record<string, unknown> & {
  serverContent?: { turnComplete?: boolean; modelTurn?: { parts: { text: string }[] } }
  toolCall?: { functionCalls: { id: string; name: string }[] }
  usageMetadata?: Record<string, number>
}

/** A Live session: what it sends, and what comes back until a frame fits. */
function session(t: Tap, url: string) {
  const socket = new WebSocket(url.replace(/^http/, 'ws'))
  t.teardown(() => socket.terminate())
  const frames: Frame[] = []
  const kinds: boolean[] = []
  let wake = () => {}
  socket.on('message', (data, binary) => {
    frames.push(JSON.parse(data.toString()))
    kinds.push(binary)
    wake()
  })
  const closed = new Promise<[number, string]>((resolve) =>
    socket.on('close', (code, reason) => resolve([code, reason.toString()])),
  )
  const opened = new Promise((resolve) => socket.on('open', resolve))
  return {
    kinds,
    closed,
    async send(message: object) {
      await opened
      socket.send(JSON.stringify(message))
    },
    async until(fits: (frame: Frame) => boolean): Promise<Frame[]> {
      while (!frames.some(fits)) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return frames.splice(0, frames.findIndex(fits) + 1)
    },
  }
}

const live = (version = 'v1beta') => `/ws/google.ai.generativelanguage.${version}.GenerativeService.BidiGenerateContent`
const setup = { setup: { model: 'models/gemini-3.1-flash-live-preview' } }
const isOver = (frame: Frame) => frame.serverContent?.turnComplete === true

t.test('a Live session sets up, answers turns in binary frames, and reports its usage', async (t) => {
  const emulator = await start(t)
  const talk = session(t, `${emulator.url}/${live('v1')}?key=k`)
  await talk.send(setup)
  await talk.until((frame) => 'setupComplete' in frame)
  await talk.send({
    client_content: { turns: [{ role: 'user', parts: [{ text: 'Hello Castor' }] }], turn_complete: true },
  })
  const answer = await talk.until(isOver)
  t.ok(talk.kinds.every((binary) => binary))
  t.ok(answer.some((frame) => frame.serverContent?.modelTurn))
  const usage = answer.at(-1)!.usageMetadata!
  t.ok(usage.responseTokenCount! > 0)
  t.equal(usage.promptTokenCount! + usage.responseTokenCount! + (usage.thoughtsTokenCount ?? 0), usage.totalTokenCount)
  t.equal(emulator.calls[0]!.usage!.totalTokens, usage.totalTokenCount)
  t.match(emulator.calls[0], {
    operation: 'BidiGenerateContent',
    model: 'gemini-3.1-flash-live-preview',
    key: 'k',
    status: 101,
  })
})

t.test('a Live session calls functions and speaks after their results', async (t) => {
  const emulator = await start(t)
  const talk = session(t, `${emulator.url}${live()}?key=k`)
  await talk.send({ setup: { ...setup.setup, tools: [{ functionDeclarations: [{ name: 'get_weather' }] }] } })
  await talk.send({ realtimeInput: { text: 'What is the weather?' } })
  const call = (await talk.until((frame) => frame.toolCall !== undefined)).at(-1)!.toolCall!.functionCalls[0]!
  await talk.send({
    toolResponse: { functionResponses: [{ id: call.id, name: call.name, response: { sky: 'clear' } }] },
  })
  const said = (await talk.until(isOver)).map((frame) => frame.serverContent?.modelTurn?.parts[0]?.text ?? '').join('')
  t.match(said, /"sky":"clear"/)
})

t.test(
  'Live refuses bad keys with 1007 after the upgrade, unknown models with 1008, and talk before setup',
  async (t) => {
    const emulator = await start(t)
    t.strictSame(await session(t, `${emulator.url}${live()}?key=bad`).closed, [
      1007,
      'API key not valid. Please pass a valid API key.',
    ])
    const unknown = session(t, `${emulator.url}${live()}?key=k`)
    await unknown.send({ setup: { model: 'models/none' } })
    t.equal((await unknown.closed)[0], 1008)
    const early = session(t, `${emulator.url}${live()}?key=k`)
    await early.send({ clientContent: { turnComplete: true } })
    t.equal((await early.closed)[0], 1007)
  },
)

t.test('Live says goAway when told to, and takes ephemeral tokens once', async (t) => {
  const emulator = await start(t)
  const { name } = (await ask(emulator, '/v1alpha/auth_tokens', { uses: 1 })).json<{ name: string }>()
  emulator.faults.add({ fault: { kind: 'goAway', timeLeft: '60s' }, times: 1 })
  const path = `${live('v1alpha')}Constrained?access_token=${name}`
  const talk = session(t, emulator.url + path)
  await talk.send(setup)
  const frames = await talk.until((frame) => 'goAway' in frame)
  t.match(frames.at(-1), { goAway: { timeLeft: '60s' } })
  t.equal((await session(t, emulator.url + path).closed)[0], 1007)
})

t.test('function arguments follow their schema, with words of the prompt', async (t) => {
  const emulator = await start(t)
  const parameters = {
    type: 'OBJECT',
    properties: {
      city: { type: 'STRING' },
      days: { type: 'INTEGER', minimum: 1, maximum: 7 },
      unit: { type: 'STRING', enum: ['C', 'F'] },
    },
    required: ['city'],
  }
  const body = says('What is the weather in Sparta for 3 days?', {
    tools: [{ functionDeclarations: [{ name: 'get_weather', parameters }] }],
  })
  const answer = (await ask(emulator, '/v1/models/gemini-3.5-flash:generateContent', body)).json<Reply>()
  const part = answer.candidates[0]!.content.parts![0]!
  t.match(part, {
    functionCall: { name: 'get_weather', id: /^\w{8}$/, args: { city: 'Sparta', days: 3, unit: /^[CF]$/ } },
    thoughtSignature: /.+/,
  })
  const older = (await ask(emulator, '/v1/models/gemini-2.5-flash:generateContent', body)).json<Reply>()
  t.equal(older.candidates[0]!.content.parts![0]!.functionCall!.id, undefined)
})
