import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GoogleGenAI } from '@google/genai'
import { GoogleGenerativeAI } from '@google/generative-ai'
import OpenAI from 'openai'
import t, { type Test } from 'tap'
import { type Converted, convert } from '../src/cache/convert.ts'
import type { Framing } from '../src/cache/entry.ts'
import { createKeys, type KeyParts } from '../src/cache/key.ts'
import { siblings } from '../src/cache/siblings.ts'
import { createObserver, type Observation } from '../src/gemini/observe.ts'
import { loadRecordings, skipRecordings } from './gemini-recordings.ts'

/** Recorded successful answers of one operation, with their bytes as they came. */
function recordings(kind: string): Array<{ name: string; body: Buffer; framing: Framing }> {
  return loadRecordings('raw').flatMap(({ file, kind: its, status, body, options: { framing } }) =>
    its === kind && status === 200 && body.length > 0 && framing !== 'frames' ? [{ name: file, body, framing }] : [],
  )
}

const native = (framing: Framing) => ({ dialect: 'native', framing })

function must(converted: Converted | undefined): Converted {
  if (converted === undefined) throw new Error('not converted')
  return converted
}

/** What the gateway's own reader of answers makes of a body. */
function observed(body: Buffer, dialect: 'native' | 'openai', framing: Framing): Observation {
  let seen: Observation | undefined
  const observer = createObserver({ dialect, framing }, (observation) => {
    seen = observation
  })
  observer.chunk(body)
  observer.end(true)
  if (seen === undefined) throw new Error('a plain body is read at once')
  return seen
}

t.test(
  'recorded streams keep every byte on the way to the other framing and back',
  { skip: skipRecordings },
  async (t) => {
    const streams = recordings('streamGenerateContent')
    for (const { name, body, framing } of streams) {
      const other: Framing = framing === 'sse' ? 'array' : 'sse'
      const there = must(convert(body, native(framing), native(other)))
      t.equal(must(convert(there.body, native(other), native(framing))).body.toString(), body.toString(), name)
    }
    t.ok(streams.length > 50)
  },
)

t.test('recorded streams become unary answers with the same finish and usage', { skip: skipRecordings }, async (t) => {
  for (const { name, body, framing } of recordings('streamGenerateContent')) {
    const unary = must(convert(body, native(framing), native('unary')))
    const [before, after] = [observed(body, 'native', framing), observed(unary.body, 'native', 'unary')]
    t.same(after.finish, before.finish, name)
    t.same({ ...after.usage, source: '' }, { ...before.usage, source: '' }, name)
    t.same(partsOf(unary.body, 'unary'), partsOf(body, framing), name)
  }
})

t.test('recorded unary answers become streams that say the same', { skip: skipRecordings }, async (t) => {
  const answers = recordings('generateContent')
  for (const { name, body } of answers) {
    for (const framing of ['sse', 'array'] as const) {
      const stream = must(convert(body, native('unary'), native(framing)))
      t.same(partsOf(stream.body, framing), partsOf(body, 'unary'), name)
      t.same(observed(stream.body, 'native', framing).finish, observed(body, 'native', 'unary').finish, name)
    }
  }
  t.ok(answers.length > 100)
})

/** Text and calls of an answer, read in the plainest way, joined where nothing stands between. */
function partsOf(body: Buffer, framing: Framing): unknown[] {
  const text = body.toString()
  const json: unknown =
    framing === 'sse'
      ? text
          .split('\r\n\r\n')
          .filter(Boolean)
          .map((event) => JSON.parse(event.slice(6)))
      : JSON.parse(text)
  const parts: Array<Record<string, unknown>> = []
  // Recorded answers; their shape is Google's documented one.
  for (const chunk of (Array.isArray(json) ? json : [json]) as Array<{
    candidates?: Array<{ content?: { parts?: Array<Record<string, unknown>> } }>
  }>) {
    for (const part of chunk.candidates?.[0]?.content?.parts ?? []) {
      const last = parts.at(-1)
      const isJoined =
        last !== undefined &&
        [last, part].every((one) => typeof one.text === 'string' && one.thoughtSignature === undefined) &&
        last.thought === part.thought
      if (isJoined) last.text = `${last.text}${part.text}`
      else parts.push({ ...part })
    }
  }
  return parts
}

t.test('numbers keep their digits', async (t) => {
  const unary = Buffer.from(
    '{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"id":12345678901234567890,"x":1.0}}}]}}]}',
  )
  const sse = must(convert(unary, native('unary'), native('sse'))).body.toString()
  t.match(sse, '"id": 12345678901234567890,"x": 1.0')
})

t.test('a signature is never joined with its neighbours', async (t) => {
  const event = (part: object) => `data: ${JSON.stringify({ candidates: [{ content: { parts: [part] } }] })}\r\n\r\n`
  const parts = [
    { text: 'a' },
    { text: 'b' },
    { text: '', thoughtSignature: 's' },
    { text: 'c' },
    { text: 'd', thought: true },
  ]
  const unary = must(convert(Buffer.from(parts.map(event).join('')), native('sse'), native('unary')))
  t.same(JSON.parse(unary.body.toString()).candidates[0].content.parts, [
    { text: 'ab' },
    { text: '', thoughtSignature: 's' },
    { text: 'c' },
    { text: 'd', thought: true },
  ])
})

t.test('what cannot be joined without guessing is not converted', async (t) => {
  const event = (candidate: object) => `data: ${JSON.stringify({ candidates: [candidate] })}\r\n\r\n`
  const twice = (candidate: object) => Buffer.from(event(candidate) + event(candidate))
  t.equal(convert(twice({ groundingMetadata: {} }), native('sse'), native('unary')), undefined)
  t.equal(convert(twice({ citationMetadata: {} }), native('sse'), native('unary')), undefined)
  t.equal(
    convert(
      twice({ content: { parts: [{ functionCall: { name: 'f', willContinue: true } }] } }),
      native('sse'),
      native('unary'),
    ),
    undefined,
  )
  t.ok(convert(twice({ groundingMetadata: {} }), native('sse'), native('array')))
  for (const bad of ['', 'no json', '5', 'event: x\ndata: {}\n\n', '[1]']) {
    for (const framing of ['unary', 'sse', 'array'] as const) {
      t.equal(convert(Buffer.from(bad), native(framing), native('unary')), undefined)
    }
  }
  t.equal(convert(Buffer.from('{}'), native('unary'), { dialect: 'openai', framing: 'sse' }), undefined)
})

/** A server that always gives one answer. */
async function serve(t: Test, answer: Converted): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': answer.contentType })
    response.end(answer.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  // A server that listens on a port has a port.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const story = 'Once <b>upon</b> a time – 12345678901234567890 \u2028 stars.'
const unaryAnswer = Buffer.from(
  JSON.stringify({
    candidates: [{ content: { parts: [{ text: story }], role: 'model' }, finishReason: 'STOP', index: 0 }],
    usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 9, totalTokenCount: 12 },
    modelVersion: 'gemini-2.5-flash',
  }),
)

t.test('the Google SDKs read converted answers', async (t) => {
  const stream = must(convert(unaryAnswer, native('unary'), native('sse')))
  const unary = must(convert(stream.body, native('sse'), native('unary')))
  const streamUrl = await serve(t, stream)
  const unaryUrl = await serve(t, unary)
  const client = (baseUrl: string) => new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl } })
  const asked = { model: 'gemini-2.5-flash', contents: 'x' }

  let text = ''
  for await (const chunk of await client(streamUrl).models.generateContentStream(asked)) text += chunk.text
  t.equal(text, story)
  t.match(await client(unaryUrl).models.generateContent(asked), { text: story, usageMetadata: { totalTokenCount: 12 } })

  const legacy = (baseUrl: string) =>
    new GoogleGenerativeAI('k').getGenerativeModel({ model: 'gemini-2.5-flash' }, { baseUrl })
  t.equal((await legacy(unaryUrl).generateContent('x')).response.text(), story)
  // U+2028 inside an event breaks this SDK whoever sent it (gemini-wire §1.4), so it gets an answer without.
  const plain = must(convert(Buffer.from(unaryAnswer.toString().replace('\u2028', '')), native('unary'), native('sse')))
  const { response } = await await legacy(await serve(t, plain)).generateContentStream('x')
  t.equal((await response).text(), story.replace('\u2028', ''))
})

const completion = {
  choices: [
    {
      finish_reason: 'tool_calls',
      index: 0,
      message: {
        role: 'assistant',
        content: story,
        tool_calls: [
          { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
          { id: 'c2', type: 'function', function: { name: 'g', arguments: '{}' } },
        ],
      },
    },
  ],
  created: 1,
  id: 'x1',
  model: 'gemini-2.5-flash',
  object: 'chat.completion',
  usage: { prompt_tokens: 3, completion_tokens: 9, total_tokens: 12 },
}
const openai = (framing: Framing, includeUsage = false) => ({ dialect: 'openai', framing, includeUsage })

t.test('the OpenAI SDK reads converted answers', async (t) => {
  const stream = must(convert(Buffer.from(JSON.stringify(completion)), openai('unary'), openai('sse', true)))
  const unary = must(convert(stream.body, openai('sse'), openai('unary')))
  t.same(JSON.parse(unary.body.toString()), completion)
  const client = (url: string) => new OpenAI({ apiKey: 'k', baseURL: `${url}/v1beta/openai/`, maxRetries: 0 })
  const asked = { model: 'm', messages: [{ role: 'user' as const, content: 'x' }] }
  t.match(await client(await serve(t, unary)).chat.completions.create(asked), {
    choices: [{ message: { content: story } }],
  })
  const runner = client(await serve(t, stream)).chat.completions.stream({
    ...asked,
    stream_options: { include_usage: true },
  })
  t.match(await runner.finalChatCompletion(), {
    choices: [{ message: { content: story, tool_calls: [{ function: { name: 'f' } }, { function: { name: 'g' } }] } }],
    usage: { total_tokens: 12 },
  })
})

t.test('an OpenAI stream that arrived in pieces becomes whole; without usage it cannot', async (t) => {
  const chunk = (delta: object, more: object = {}) =>
    `data: ${JSON.stringify({ choices: [{ delta, index: 0, ...more }], created: 1, id: 'x', model: 'm', object: 'chat.completion.chunk' })}\n\n`
  const pieces =
    chunk({ role: 'assistant', content: 'He' }) +
    chunk({
      content: 'llo',
      tool_calls: [{ index: 0, id: 'c', type: 'function', function: { name: 'f', arguments: '{"a"' } }],
    }) +
    chunk({ tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }, { finish_reason: 'tool_calls' })
  const usage = 'data: {"choices":[],"id":"x","usage":{"total_tokens":5}}\n\n'
  const done = 'data: [DONE]\n\n'
  t.equal(convert(Buffer.from(pieces + done), openai('sse'), openai('unary')), undefined)
  const whole = must(convert(Buffer.from(pieces + usage + done), openai('sse'), openai('unary')))
  t.match(JSON.parse(whole.body.toString()), {
    object: 'chat.completion',
    usage: { total_tokens: 5 },
    choices: [
      {
        finish_reason: 'tool_calls',
        message: { content: 'Hello', tool_calls: [{ id: 'c', function: { arguments: '{"a":1}' } }] },
      },
    ],
  })
  t.notMatch(
    must(convert(Buffer.from(pieces + usage + done), openai('sse'), openai('sse'))).body.toString(),
    'total_tokens',
  )
})

t.test('a question is found under the key it has in the other framings', async (t) => {
  const keys = createKeys<null>({ secret: 's' })
  const body = Buffer.from('{"contents":[{"parts":[{"text":"x"}]}]}')
  const parts: KeyParts = {
    partition: 'p',
    dialect: 'native',
    apiVersion: 'v1',
    operation: 'generateContent',
    model: 'm',
  }
  const keyOf = (some: KeyParts, raw = body) => {
    const result = keys.keyOf(some, raw, () => null)
    if ('refused' in result) throw new Error(result.refused)
    return result.key
  }
  const sse = { ...parts, operation: 'streamGenerateContent', search: '?alt=sse' }
  const array = { ...parts, operation: 'streamGenerateContent' }
  const found = siblings(keys, parts, keyOf(parts), native('unary'))
  t.same(found, [
    { key: keyOf(sse).key, form: native('sse') },
    { key: keyOf(array).key, form: native('array') },
  ])
  t.same(
    siblings(keys, sse, keyOf(sse), native('sse')).map(({ key }) => key),
    [keyOf(parts).key, keyOf(array).key],
  )
  for (const search of ['?fields=candidates', '?alt=sse&prettyPrint=false', '?$alt=json%3Benum-encoding%3Dint']) {
    t.same(siblings(keys, { ...parts, search }, keyOf({ ...parts, search }), native('unary')), [])
  }

  const chat: KeyParts = { ...parts, dialect: 'openai', operation: 'chat.completions', model: '' }
  const raw = (more: object) => Buffer.from(JSON.stringify({ model: 'm', messages: [], ...more }))
  const plain = keyOf(chat, raw({}))
  const streamed = keyOf(chat, raw({ stream: true, stream_options: { include_usage: true } }))
  t.same(
    siblings(keys, chat, plain, openai('unary')).map(({ key }) => key),
    [streamed.key],
  )
  t.equal(siblings(keys, chat, streamed, openai('sse'))[0]?.key, plain.key)
})
