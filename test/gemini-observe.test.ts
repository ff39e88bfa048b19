import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { createObserver, type Observation, type ObserverOptions } from '../src/gemini/observe.ts'
import { array, chunk, cut, observe, sse } from './gemini-observing.ts'

const native = { dialect: 'native', framing: 'sse' } as const
const unary = { dialect: 'native', framing: 'unary' } as const

const pieces = [
  chunk('Hé"llo\\ 東京\u2028', { promptTokenCount: 8, totalTokenCount: 8 }),
  chunk('{"usageMetadata": {"promptTokenCount": 1}}', {
    promptTokenCount: 8,
    candidatesTokenCount: 5,
    totalTokenCount: 13,
  }),
  chunk('', { promptTokenCount: 9, candidatesTokenCount: 7, totalTokenCount: 16 }, 'STOP'),
]

const googleError = `{
  "error": {
    "code": 503,
    "message": "The model is overloaded. Please try again later.",
    "status": "UNAVAILABLE"
  }
}
`

t.test('a whole answer is seen as it is', async (t) => {
  const expected = {
    usage: { promptTokens: 9, candidateTokens: 7, totalTokens: 16, source: 'reported', identityHolds: true },
    finish: {
      kind: 'answer',
      finishReasons: ['STOP'],
      hasContent: true,
      modelVersion: 'gemini-3.6-flash',
      responseId: 'r1',
    },
    errorTail: undefined,
    events: 3,
    firstContentAt: 0,
    complete: true,
    readable: true,
  }
  const events = sse(pieces)
  t.match(await observe(native, [events]), { ...expected, bytes: events.length })
  const elements = array(pieces)
  t.match(await observe({ ...native, framing: 'array' }, [elements]), { ...expected, bytes: elements.length })
  t.match(await observe(unary, [Buffer.from(JSON.stringify(pieces[2]))]), {
    usage: expected.usage,
    events: 1,
    firstContentAt: undefined,
    complete: true,
  })
})

t.test('no cut changes what is seen', async (t) => {
  const broken = Buffer.concat([sse(pieces.slice(0, 2)), Buffer.from(googleError)])
  const streams: [ObserverOptions, Buffer][] = [
    [native, sse(pieces)],
    [native, Buffer.from(sse(pieces).toString().replaceAll('\r\n', '\n'))],
    [native, broken],
    [{ ...native, framing: 'array' }, array(pieces)],
    [unary, Buffer.from(JSON.stringify(pieces[1], undefined, 2))],
  ]
  for (const [options, bytes] of streams) {
    const whole = await observe(options, [bytes])
    for (let at = 1; at < bytes.length; at += 1) t.same(await observe(options, cut(bytes, [at])), whole, `cut at ${at}`)
    t.same(await observe(options, cut(bytes, Array.from(bytes.keys()))), whole, 'byte by byte')
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length)), async (positions) => {
        t.strictSame(await observe(options, cut(bytes, positions)), whole)
      }),
      { numRuns: 30 },
    )
  }
})

t.test('pieces that repeat each other are read like any others', async (t) => {
  // A stream in which each piece is the one before it with one thing changed: layouts come, hold and break in every way.
  type Piece = {
    text: string
    thought?: boolean
    index: number
    finishReason?: string
    call?: boolean
    prompt?: number
    candidates?: number
    responseId?: string
  }
  const change: fc.Arbitrary<Partial<Piece>> = fc.oneof(
    fc.constantFrom('', 'a', 'b"c', '\\', 'é').map((text) => ({ text })),
    fc.constantFrom(undefined, true, false).map((thought) => ({ thought })),
    fc.constantFrom(0, 1).map((index) => ({ index })),
    fc.constantFrom(undefined, 'STOP', 'OTHER').map((finishReason) => ({ finishReason })),
    fc.constantFrom(undefined, true).map((call) => ({ call })),
    fc.constantFrom(8, 9, 10, undefined).map((prompt) => ({ prompt })),
    fc.constantFrom(1, 2, 30, undefined).map((candidates) => ({ candidates })),
    fc.constantFrom('r1', 'r2', undefined).map((responseId) => ({ responseId })),
  )
  const streams = fc.array(change, { maxLength: 12 }).map((changes) => {
    const stream: Piece[] = [{ text: 'x', index: 0, prompt: 8 }]
    for (const one of changes) stream.push({ ...(stream.at(-1) as Piece), ...one })
    return stream
  })
  const toDocument = (piece: Piece): unknown => ({
    candidates: [
      {
        content: {
          parts: [{ text: piece.text, thought: piece.thought }, ...(piece.call ? [{ functionCall: {} }] : [])],
        },
        finishReason: piece.finishReason,
        index: piece.index,
      },
    ],
    usageMetadata: { promptTokenCount: piece.prompt, candidatesTokenCount: piece.candidates },
    responseId: piece.responseId,
  })
  await fc.assert(
    fc.asyncProperty(streams, async (stream) => {
      const { usage, finish, firstContentAt, events } = await observe(native, [sse(stream.map(toDocument))])
      const reasons: string[] = []
      for (const { index, finishReason } of stream) {
        while (reasons.length <= index) reasons.push('FINISH_REASON_UNSPECIFIED')
        reasons[index] = finishReason ?? (reasons[index] as string)
      }
      const last = stream.findLast(({ finishReason }) => finishReason)
      const count = (name: 'prompt' | 'candidates'): number =>
        last?.[name] ?? stream.findLast((piece) => piece[name] !== undefined)?.[name] ?? 0
      assert.deepEqual(
        {
          events,
          firstContentAt: firstContentAt ?? -1,
          reasons: finish.finishReasons,
          hasContent: finish.hasContent,
          hasFunctionCall: finish.hasFunctionCall,
          responseId: finish.responseId,
          prompt: usage.promptTokens,
          candidates: usage.candidateTokens,
        },
        {
          events: stream.length,
          firstContentAt: stream.findIndex(({ text, call }) => text !== '' || call),
          reasons,
          hasContent: stream.some(({ text, thought, call }) => (text !== '' && !thought) || call),
          hasFunctionCall: stream.some(({ call }) => call),
          responseId: stream.find(({ responseId }) => responseId)?.responseId,
          prompt: count('prompt'),
          candidates: count('candidates'),
        },
      )
    }),
    { numRuns: 1000 },
  )
  t.pass('every stream agrees')
})

t.test("Google's errors are seen wherever they stand", async (t) => {
  const events = sse(pieces).toString()
  const oneError = { error: { code: 503, message: 'm', status: 'UNAVAILABLE' } }
  const answers: [string, ObserverOptions, string, number][] = [
    ['raw tail', native, `${events}${googleError}`, 3],
    ['raw tail after a blank line', native, `${events}\r\n${googleError}\r\n`, 3],
    ['raw tail before a blank line', native, `${events}${googleError}\n\n`, 3],
    ['whole body of a stream', native, googleError, 0],
    ['an event', native, `${events}data: ${JSON.stringify(oneError)}\r\n\r\n`, 4],
    ['unary', unary, googleError, 1],
    ['an element', { ...native, framing: 'array' }, array([...pieces, oneError]).toString(), 4],
    ['instead of the array', { ...native, framing: 'array' }, googleError, 1],
    ['an array of one', unary, JSON.stringify([oneError]), 1],
  ]
  for (const [where, options, text, count] of answers) {
    const { errorTail, complete, events: seen, readable } = await observe(options, [Buffer.from(text)])
    t.match(errorTail, { code: 503, status: 'UNAVAILABLE' }, where)
    t.match({ complete, seen, readable }, { complete: false, seen: count, readable: true }, where)
  }
})

t.test('only an answer that ended properly is complete', async (t) => {
  const events = sse(pieces)
  t.equal((await observe(native, [events], true)).complete, true)
  t.equal((await observe(native, [events], false)).complete, false, 'the transport broke')
  t.equal((await observe(native, [events.subarray(0, -2)])).complete, false, 'no blank line')
  t.equal((await observe(native, [sse(pieces.slice(0, 2))])).complete, false, 'no finish reason')
  t.equal((await observe(native, [])).complete, false, 'nothing')
  const elements = array(pieces)
  t.equal((await observe({ ...native, framing: 'array' }, [elements.subarray(0, -2)])).complete, false, 'no bracket')
  const body = Buffer.from(JSON.stringify(pieces[2]))
  t.match(await observe(unary, [body.subarray(0, -1)]), { complete: false, unreadable: 'malformed' })
  t.match(await observe(unary, [Buffer.from('<html>413</html>')]), { complete: false, unreadable: 'malformed' })
  t.match(await observe(unary, []), { complete: false, readable: true, events: 0 })
})

t.test('half an event at the end still gives its figures', async (t) => {
  const { usage, events } = await observe(native, [sse(pieces).subarray(0, -4)], false)
  t.match({ usage, events }, { usage: { totalTokens: 16 }, events: 3 })
})

t.test('an event too large to keep gives its usage and says so', async (t) => {
  const image = {
    candidates: [{ content: { parts: [{ inlineData: { data: 'x'.repeat(10_000_000) } }] }, finishReason: 'STOP' }],
    usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 1290, totalTokenCount: 1299 },
    modelVersion: 'gemini-3-pro-image',
  }
  const figures = { promptTokens: 9, candidateTokens: 1290, totalTokens: 1299 }
  const every64k = (bytes: Buffer): Buffer[] =>
    cut(
      bytes,
      Array.from({ length: 200 }, (_, index) => index * 65_536),
    )
  const answers: [ObserverOptions, Buffer][] = [
    [unary, Buffer.from(JSON.stringify(image))],
    [native, sse([image])],
    [{ ...native, framing: 'array' }, array([image])],
  ]
  for (const [options, bytes] of answers) {
    const seen = await observe(options, every64k(bytes))
    t.match(seen, { readable: false, unreadable: 'oversized', complete: false, usage: figures }, options.framing)
    t.equal(seen.finish.modelVersion, 'gemini-3-pro-image')
    const kept = await observe({ ...options, maxBytes: 20_000_000 }, every64k(bytes))
    t.match(kept, { readable: true, complete: true, usage: figures, firstContentAt: 0 })
  }
})

t.test('after an event without end the stream goes on', async (t) => {
  const piece = Buffer.alloc(1024 * 1024, 'x')
  const endless = [Buffer.from('data: "'), ...Array<Buffer>(60).fill(piece), Buffer.from('"\r\n\r\n')]
  t.match(await observe(native, [...endless, sse(pieces)]), {
    bytes: 60 * 1024 * 1024 + 12 + sse(pieces).length,
    events: 4,
    readable: false,
    unreadable: 'oversized',
    usage: { totalTokens: 16, source: 'reported' },
    finish: { finishReasons: ['STOP'] },
    complete: false,
  })
})

t.test('chat completions are read in the same terms', async (t) => {
  const usage = { prompt_tokens: 10, completion_tokens: 20, total_tokens: 60 }
  const completion = {
    id: 'c1',
    object: 'chat.completion',
    model: 'gemini-3.6-flash',
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Hi' } }],
    usage,
    service_tier: 'Flex',
  }
  const expected = {
    usage: {
      promptTokens: 10,
      candidateTokens: 20,
      thoughtTokens: 30,
      totalTokens: 60,
      serviceTier: 'flex',
      source: 'reported',
    },
    finish: { finishReasons: ['STOP'], hasContent: true, modelVersion: 'gemini-3.6-flash', responseId: 'c1' },
    complete: true,
  }
  t.match(await observe({ dialect: 'openai', framing: 'unary' }, [Buffer.from(JSON.stringify(completion))]), expected)

  const piece = (delta: unknown, finish_reason: string | null, extra: object = {}): unknown => ({
    ...completion,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason }],
    usage: null,
    ...extra,
  })
  const parts = [piece({ role: 'assistant', content: '' }, null), piece({ content: 'Hi' }, null), piece({}, 'stop')]
  const open = sse([...parts, { ...completion, choices: [], usage }])
  const stream = { dialect: 'openai', framing: 'sse' } as const
  t.match(await observe(stream, [open, Buffer.from('data: [DONE]\n\n')]), { ...expected, events: 4, firstContentAt: 1 })
  t.match(await observe(stream, [open]), { complete: false, usage: { totalTokens: 60 } }, 'without its closing mark')

  const called = piece({ tool_calls: [{ function: { name: 'f' } }] }, 'tool_calls', { usage })
  t.match(await observe(stream, [sse([called]), Buffer.from('data: [DONE]\n\n')]), {
    complete: true,
    finish: { finishReasons: ['STOP'], hasFunctionCall: true, hasContent: true },
    usage: { source: 'reported' },
  })
  const cutShort = piece({ content: 'x' }, 'length')
  t.match(await observe(stream, [sse([cutShort])]), { complete: false, finish: { finishReasons: ['MAX_TOKENS'] } })
  t.match(
    await observe({ dialect: 'openai', framing: 'unary' }, [
      Buffer.from('[{"error":{"code":404,"status":"NOT_FOUND"}}]'),
    ]),
    { errorTail: { code: 404, status: 'NOT_FOUND' }, complete: false },
  )
  t.match(
    await observe({ dialect: 'openai', framing: 'unary' }, [
      Buffer.from('{"object":"list","data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":4,"total_tokens":4}}'),
    ]),
    { complete: true, finish: { kind: 'embedding' }, usage: { promptTokens: 4, totalTokens: 4 } },
  )
})

t.test('interactions are read in the same terms', async (t) => {
  const usage = { total_tokens: 17, total_input_tokens: 9, total_output_tokens: 3, total_thought_tokens: 5 }
  const head = { id: 'i1', object: 'interaction', model: 'gemini-3.6-flash', service_tier: 'standard' }
  const events: [string, unknown][] = [
    ['interaction.created', { interaction: { ...head, status: 'in_progress' } }],
    ['step.start', { index: 0, step: { type: 'thought' } }],
    ['step.delta', { index: 0, delta: { type: 'thought_signature', signature: 'abc' } }],
    ['step.start', { index: 1, step: { type: 'model_output' } }],
    ['step.delta', { index: 1, delta: { type: 'text', text: 'Hi' } }],
    ['interaction.completed', { interaction: { ...head, status: 'completed', usage } }],
  ]
  const text = events.map(([name, data]) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`).join('')
  const stream = { dialect: 'interactions', framing: 'sse' } as const
  const done = 'event: done\ndata: [DONE]\n\n'
  const expected = {
    usage: {
      promptTokens: 9,
      candidateTokens: 3,
      thoughtTokens: 5,
      totalTokens: 17,
      serviceTier: 'standard',
      source: 'reported',
    },
    finish: { finishReasons: ['STOP'], hasContent: true, modelVersion: 'gemini-3.6-flash', responseId: 'i1' },
    complete: true,
  }
  t.match(await observe(stream, [Buffer.from(text + done)]), { ...expected, events: 6, firstContentAt: 4 })
  t.match(await observe(stream, [Buffer.from(text)]), { complete: false })

  const search = { type: 'google_search_call', arguments: { queries: ['a', 'b', 'a'] } }
  const whole = {
    ...head,
    status: 'requires_action',
    usage,
    steps: [search, { type: 'function_call', arguments: { queries: ['x'] } }],
  }
  t.match(await observe({ dialect: 'interactions', framing: 'unary' }, [Buffer.from(JSON.stringify(whole))]), {
    complete: true,
    finish: { hasFunctionCall: true, finishReasons: ['STOP'] },
    usage: { groundingQueries: 2 },
  })
  for (const [status, reason] of [
    ['incomplete', 'INCOMPLETE'],
    ['requires_continuation', 'CONTINUATION'],
    ['in_progress', 'FINISH_REASON_UNSPECIFIED'],
  ] as const) {
    const body = Buffer.from(JSON.stringify({ ...head, status }))
    const { finish, complete } = await observe({ dialect: 'interactions', framing: 'unary' }, [body])
    t.match({ finish, complete }, { finish: { finishReasons: [reason] }, complete: false }, status)
  }
  const failed = 'event: error\ndata: {"error":{"code":"internal","message":"m"},"event_type":"error"}\n\n'
  t.match(await observe(stream, [Buffer.from(failed + done)]), { errorTail: { status: 'internal' }, complete: false })
})

t.test('comments and empty events are not counted and change nothing', async (t) => {
  const stream = Buffer.concat([Buffer.from(': keep-alive\n\nretry: 5\n\n\n\n'), sse(pieces)])
  t.match(await observe(native, [stream]), { events: 3, complete: true })
})

t.test('the observation is given once, and nothing after the end counts', async (t) => {
  const seen: Observation[] = []
  const observer = createObserver(native, (observation) => seen.push(observation))
  observer.chunk(sse(pieces))
  observer.end(true)
  observer.chunk(Buffer.from('data: {"error":{}}\n\n'))
  observer.end(false)
  t.equal(seen.length, 1)
  t.match(seen[0], { complete: true, bytes: sse(pieces).length })
})

t.test('nothing that can come makes it throw or stay silent', async (t) => {
  const word = fc.constantFrom(
    ...[
      '{',
      '}',
      '[',
      ']',
      '"',
      '\\',
      ':',
      ',',
      '\n\n',
      '\r\n\r\n',
      'data: ',
      'event: x\n',
      '[DONE]',
      'null',
      '-1',
      '1e999',
    ],
    ...[
      '"candidates"',
      '"content"',
      '"parts"',
      '"text"',
      '"finishReason"',
      '"index"',
      '"usageMetadata"',
      '"error"',
      '"usage"',
    ],
    ...[
      '"choices"',
      '"delta"',
      '"steps"',
      '"type"',
      '"status"',
      '"serverContent"',
      '"turnComplete"',
      'true',
      '\u0000',
      'é',
    ],
  )
  const junk = fc.oneof(
    fc.array(word, { maxLength: 60 }).map((words) => Buffer.from(words.join(''))),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
  )
  const options = fc.record({
    dialect: fc.constantFrom('native' as const, 'openai' as const, 'interactions' as const, 'live' as const),
    framing: fc.constantFrom('unary' as const, 'sse' as const, 'array' as const, 'frames' as const),
    contentEncoding: fc.constantFrom(undefined, undefined, 'gzip', 'br', 'junk'),
    maxBytes: fc.constantFrom(16, 4096),
  })
  await fc.assert(
    fc.asyncProperty(options, fc.array(junk, { maxLength: 4 }), fc.boolean(), async (option, chunks, clean) => {
      const seen = await observe(option, chunks, clean)
      t.equal(typeof seen.complete, 'boolean')
      t.ok(Number.isSafeInteger(seen.usage.totalTokens))
    }),
    { numRuns: 600 },
  )
})

t.test('wrong types in every place are passed over', async (t) => {
  const wrong = [null, 1, 'x', [], {}, [[]], [null], true]
  for (const value of wrong) {
    const document = {
      candidates: value,
      usageMetadata: value,
      modelVersion: value,
      promptFeedback: value,
      error: undefined,
    }
    t.match(await observe(unary, [Buffer.from(JSON.stringify(document))]), {
      readable: true,
      usage: { source: 'none' },
    })
    const inner = { candidates: [{ content: value, finishReason: value, index: value, groundingMetadata: value }] }
    t.equal((await observe(unary, [Buffer.from(JSON.stringify(inner))])).readable, true)
  }
})
