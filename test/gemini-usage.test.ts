import fc from 'fast-check'
import t from 'tap'
import { addUsage, noUsage } from '../src/gemini/usage.ts'
import { countFields, interactionFields, nativeFields, openaiFields } from '../src/gemini/usage-fields.ts'
import { createUsageTally } from '../src/gemini/usage-tally.ts'
import { array, chunk, observe, sse } from './gemini-observing.ts'

const stream = { dialect: 'native', framing: 'sse' } as const
const unary = { dialect: 'native', framing: 'unary' } as const

const body = (document: unknown): Buffer => Buffer.from(`${JSON.stringify(document, undefined, 2)}\n`)

t.test('both casings and enums as numbers are read alike', async (t) => {
  const camel = {
    promptTokenCount: 10,
    cachedContentTokenCount: 4,
    candidatesTokenCount: 3,
    thoughtsTokenCount: 2,
    toolUsePromptTokenCount: 5,
    totalTokenCount: 20,
    initialPromptTokenCount: 8,
    promptTokensDetails: [
      { modality: 'TEXT', tokenCount: 6 },
      { modality: 'IMAGE', tokenCount: 4 },
    ],
    trafficType: 'ON_DEMAND',
    serviceTier: 'SERVICE_TIER_FLEX',
  }
  const snake = {
    prompt_token_count: 10,
    cached_content_token_count: 4,
    candidates_token_count: 3,
    thoughts_token_count: 2,
    tool_use_prompt_token_count: 5,
    total_token_count: 20,
    initial_prompt_token_count: 8,
    prompt_tokens_details: [
      { modality: 1, token_count: 6 },
      { modality: 2, token_count: '4' },
    ],
    traffic_type: 1,
    service_tier: 'flex',
  }
  const expected = {
    prompt: 10,
    cached: 4,
    candidates: 3,
    thoughts: 2,
    toolUse: 5,
    total: 20,
    initialPrompt: 8,
    promptBy: { TEXT: 6, IMAGE: 4 },
    trafficType: 'ON_DEMAND',
    serviceTier: 'flex',
  }
  t.same(nativeFields(camel), expected)
  t.same(nativeFields(snake), expected)
})

t.test('the odd spellings of embeddings and Live are known', async (t) => {
  t.same(nativeFields({ promptTokenCount: 7, promptTokenDetails: [{ modality: 'AUDIO', tokenCount: 7 }] }), {
    prompt: 7,
    promptBy: { AUDIO: 7 },
  })
  t.same(nativeFields({ responseTokenCount: 9, responseTokensDetails: [{ modality: 'AUDIO', tokenCount: 9 }] }), {
    candidates: 9,
    candidatesBy: { AUDIO: 9 },
  })
  t.same(countFields({ totalTokens: 12, cachedContentTokenCount: 3 }), { prompt: 12, total: 12, cached: 3 })
})

t.test('what is no count is not counted', async (t) => {
  for (const junk of [null, -1, 1.5, 'x', '', {}, [], true, 2 ** 60]) {
    t.same(nativeFields({ promptTokenCount: junk, candidatesTokenCount: 1 }), { candidates: 1 }, JSON.stringify(junk))
  }
  for (const junk of [undefined, null, 1, 'x', []]) t.same(nativeFields(junk), {})
})

t.test('an interaction is read in the same terms', async (t) => {
  t.same(
    interactionFields({
      total_tokens: 326,
      total_input_tokens: 266,
      input_tokens_by_modality: [
        { modality: 'text', tokens: 8 },
        { modality: 'image', tokens: 258 },
      ],
      total_cached_tokens: 0,
      total_output_tokens: 3,
      total_tool_use_tokens: 0,
      total_thought_tokens: 57,
      grounding_tool_count: [
        { type: 'google_search', count: 2 },
        { type: 'google_maps', count: 1 },
      ],
    }),
    {
      total: 326,
      prompt: 266,
      promptBy: { TEXT: 8, IMAGE: 258 },
      cached: 0,
      candidates: 3,
      toolUse: 0,
      thoughts: 57,
      groundingQueries: 2,
    },
  )
})

t.test("OpenAI's reasoning is taken apart by the total", async (t) => {
  const read = (completion: number, total: number, reasoning?: number): unknown => {
    const { candidates, thoughts } = openaiFields({
      prompt_tokens: 10,
      completion_tokens: completion,
      total_tokens: total,
      ...(reasoning === undefined ? {} : { completion_tokens_details: { reasoning_tokens: reasoning } }),
    })
    return { candidates, thoughts }
  }
  t.same(read(50, 60, 30), { candidates: 20, thoughts: 30 }, 'inside the completion')
  t.same(read(20, 60, 30), { candidates: 20, thoughts: 30 }, 'beside the completion')
  t.same(read(20, 60), { candidates: 20, thoughts: 30 }, 'untold')
  t.same(read(20, 30), { candidates: 20, thoughts: undefined }, 'none')
  t.match(openaiFields({ prompt_tokens: 10, total_tokens: 10 }), { prompt: 10, total: 10 }, 'embeddings')
  t.match(openaiFields({ prompt_tokens: 9, prompt_tokens_details: { cached_tokens: 4 } }), { cached: 4 })
})

t.test('figures of a stream are never summed, the last word counts', async (t) => {
  const documents = [
    chunk('a', { promptTokenCount: 8, totalTokenCount: 8 }),
    chunk('b', { promptTokenCount: 8, candidatesTokenCount: 5, totalTokenCount: 13 }),
    chunk(
      'c',
      { promptTokenCount: 427, candidatesTokenCount: 9, toolUsePromptTokenCount: 771, totalTokenCount: 1207 },
      'STOP',
    ),
  ]
  for (const [bytes, framing] of [
    [sse(documents), 'sse'],
    [array(documents), 'array'],
  ] as const) {
    const { usage } = await observe({ dialect: 'native', framing }, [bytes])
    t.match(usage, {
      promptTokens: 427,
      candidateTokens: 9,
      toolUseTokens: 771,
      totalTokens: 1207,
      source: 'reported',
      identityHolds: true,
    })
  }
})

t.test('the piece that ends the answer outranks what follows it', async (t) => {
  const { usage } = await observe(stream, [
    sse([
      chunk('a', { promptTokenCount: 8, candidatesTokenCount: 5, totalTokenCount: 13 }, 'STOP'),
      { usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2, trafficType: 'ON_DEMAND' } },
    ]),
  ])
  t.match(usage, { promptTokens: 8, candidateTokens: 5, totalTokens: 13, trafficType: 'ON_DEMAND', source: 'reported' })
})

t.test('a field the last piece lacks comes from an earlier one, and that shows', async (t) => {
  const { usage } = await observe(stream, [
    sse([
      chunk('a', { promptTokenCount: 8, candidatesTokenCount: 4, totalTokenCount: 12 }),
      chunk('b', { trafficType: 'ON_DEMAND' }),
      chunk('c', { promptTokenCount: 8, totalTokenCount: 13 }, 'STOP'),
    ]),
  ])
  t.match(usage, { promptTokens: 8, candidateTokens: 4, totalTokens: 13, source: 'partial', identityHolds: false })
})

t.test('a stream that breaks off leaves its last figures, as partial', async (t) => {
  const pieces = [
    chunk('a', { promptTokenCount: 8, totalTokenCount: 8 }),
    chunk('b', { promptTokenCount: 8, candidatesTokenCount: 99, totalTokenCount: 107 }),
    chunk('c', { promptTokenCount: 8, candidatesTokenCount: 101, totalTokenCount: 109 }),
  ]
  const { usage, complete } = await observe(stream, [sse(pieces)], false)
  t.match(usage, { promptTokens: 8, candidateTokens: 101, totalTokens: 109, source: 'partial' })
  t.notOk(complete)
})

t.test('an uncounted answer is what the total has beyond the rest', async (t) => {
  const { usage } = await observe(unary, [
    body(chunk('text', { promptTokenCount: 8, thoughtsTokenCount: 20, totalTokenCount: 33 }, 'STOP')),
  ])
  t.match(usage, { candidateTokens: 5, source: 'reported', identityHolds: true })
  const bare = await observe(unary, [body(chunk('text', { promptTokenCount: 8, totalTokenCount: 8 }, 'STOP'))])
  t.match(bare.usage, { candidateTokens: 0, source: 'partial' })
})

t.test('an answer without usage has none', async (t) => {
  const { usage } = await observe(unary, [body({ embeddings: [{ values: [0.1] }] })])
  t.same(usage, noUsage())
})

t.test('keys of a function call are not taken for usage', async (t) => {
  const fake = {
    usageMetadata: { promptTokenCount: 1 },
    totalTokens: 2,
    finishReason: 'MAX_TOKENS',
    error: { code: 1 },
  }
  const part = { functionCall: { name: 'f', args: fake } }
  const real = { promptTokenCount: 50, candidatesTokenCount: 6, totalTokenCount: 56 }
  for (const document of [
    { candidates: [{ content: { parts: [part] }, finishReason: 'STOP' }], usageMetadata: real },
    { usageMetadata: real, candidates: [{ finishReason: 'STOP', content: { parts: [part] } }] },
  ]) {
    const { usage, finish, errorTail } = await observe(unary, [body(document)])
    t.match(usage, { promptTokens: 50, candidateTokens: 6, totalTokens: 56 })
    t.match(finish, { finishReasons: ['STOP'], hasFunctionCall: true, complete: true })
    t.equal(errorTail, undefined)
  }
})

t.test('search queries are counted once each, empty ones not at all', async (t) => {
  const grounded = (queries: string[], finishReason?: string): unknown => ({
    candidates: [{ groundingMetadata: { webSearchQueries: queries, searchEntryPoint: {} }, finishReason }],
  })
  const { usage } = await observe(stream, [sse([grounded(['a', 'b', '']), grounded(['a', 'c\n'], 'STOP')])])
  t.equal(usage.groundingQueries, 3)
})

t.test('setting usage objects aside unread changes nothing', async (t) => {
  const field = fc.constantFrom('promptTokenCount', 'candidatesTokenCount', 'thoughtsTokenCount', 'totalTokenCount')
  const usage = fc.dictionary(field, fc.constantFrom(0, 7, 10, 99, 100, 5000))
  fc.assert(
    fc.property(fc.array(fc.tuple(usage, fc.boolean()), { maxLength: 12 }), (pieces) => {
      const tally = createUsageTally(nativeFields)
      for (const [piece, last] of pieces) {
        const bytes = Buffer.from(`--${JSON.stringify(piece)}--`)
        tally.see(bytes, 2, bytes.length - 2, last)
      }
      const settled = tally.settle({ hasContent: false, groundingQueries: undefined })
      const final = pieces.findLast(([, last]) => last)?.[0]
      const value = (name: string): number | undefined =>
        final?.[name] ?? pieces.findLast(([piece]) => piece[name] !== undefined)?.[0][name]
      t.equal(settled.promptTokens, value('promptTokenCount') ?? 0)
      t.equal(settled.candidateTokens, value('candidatesTokenCount') ?? 0)
      t.equal(settled.thoughtTokens, value('thoughtsTokenCount') ?? 0)
      const { promptTokens, candidateTokens, thoughtTokens } = settled
      t.equal(settled.totalTokens, value('totalTokenCount') ?? promptTokens + candidateTokens + thoughtTokens)
    }),
    { numRuns: 500 },
  )
})

t.test('calls add up, classes and modalities alike', async (t) => {
  const hop = {
    ...noUsage(),
    promptTokens: 10,
    totalTokens: 12,
    candidateTokens: 2,
    byModality: { prompt: { TEXT: 7, IMAGE: 3 }, cached: {}, candidates: { TEXT: 2 }, toolUse: {} },
    groundingQueries: 1,
    source: 'reported' as const,
  }
  t.same(addUsage(noUsage(), hop), hop)
  t.match(addUsage(hop, { ...hop, source: 'partial', serviceTier: 'flex' }), {
    promptTokens: 20,
    candidateTokens: 4,
    totalTokens: 24,
    byModality: { prompt: { TEXT: 14, IMAGE: 6 }, candidates: { TEXT: 4 } },
    groundingQueries: 2,
    serviceTier: 'flex',
    source: 'partial',
  })
})
