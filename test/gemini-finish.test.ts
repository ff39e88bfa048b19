import t from 'tap'
import { observe, sse } from './gemini-observing.ts'

const unary = { dialect: 'native', framing: 'unary' } as const
const stream = { dialect: 'native', framing: 'sse' } as const

const body = (document: unknown): Buffer => Buffer.from(JSON.stringify(document))
const text = (words: string): unknown => ({ content: { parts: [{ text: words }] } })

t.test('an answer is complete when every candidate stopped', async (t) => {
  const answer = (...reasons: unknown[]): Buffer =>
    body({ candidates: reasons.map((finishReason, index) => ({ content: {}, finishReason, index })) })
  for (const [bytes, finishReasons, complete] of [
    [answer('STOP'), ['STOP'], true],
    [answer('STOP', 'STOP'), ['STOP', 'STOP'], true],
    [answer('STOP', 'MAX_TOKENS'), ['STOP', 'MAX_TOKENS'], false],
    [answer('STOP', undefined), ['STOP', 'FINISH_REASON_UNSPECIFIED'], false],
    [answer(null), ['FINISH_REASON_UNSPECIFIED'], false],
    [answer('FAKE_NEW_REASON'), ['FAKE_NEW_REASON'], false],
    [body({}), [], false],
  ] as const) {
    const { finish } = await observe(unary, [bytes])
    t.match(finish, { finishReasons, complete }, bytes.toString())
  }
})

t.test('reasons given as numbers have their names', async (t) => {
  const reasons = [1, 2, 3, 4, 5, 6, 10, 99]
  const { finish } = await observe(unary, [body({ candidates: reasons.map((finish_reason) => ({ finish_reason })) })])
  t.same(finish.finishReasons, [
    'STOP',
    'MAX_TOKENS',
    'SAFETY',
    'RECITATION',
    'OTHER',
    'LANGUAGE',
    'MALFORMED_FUNCTION_CALL',
    'FINISH_REASON_99',
  ])
})

t.test('a refused prompt is an incomplete answer', async (t) => {
  for (const blockReason of ['SAFETY', 1]) {
    const { finish } = await observe(unary, [body({ promptFeedback: { blockReason } })])
    t.match(finish, { kind: 'answer', blockReason: 'SAFETY', finishReasons: [], complete: false })
  }
  const { finish } = await observe(unary, [body({ candidates: [{ finishReason: 'STOP' }], promptFeedback: {} })])
  t.match(finish, { blockReason: undefined, complete: true })
})

t.test('candidates of a stream end one by one', async (t) => {
  const piece = (index: number, finishReason?: string): unknown => ({
    candidates: [{ index, ...(finishReason ? { finishReason } : {}) }],
  })
  const open = await observe(stream, [sse([piece(0), piece(1), piece(0, 'STOP')])])
  t.match(open, { complete: false, finish: { finishReasons: ['STOP', 'FINISH_REASON_UNSPECIFIED'] } })
  const closed = await observe(stream, [sse([piece(0), piece(1), piece(0, 'STOP'), piece(1, 'STOP')])])
  t.match(closed, { complete: true, finish: { finishReasons: ['STOP', 'STOP'] } })
})

t.test('a long decode that goes on elsewhere is not complete', async (t) => {
  const candidate = { ...(text('half') as object), finishReason: 'CONTINUATION', continuationToken: 'abc' }
  const { finish } = await observe(unary, [body({ candidates: [candidate] })])
  t.match(finish, { continuation: true, complete: false, finishReasons: ['CONTINUATION'] })
  const checkpoint = { candidates: [{ ...(text('half') as object), continuationToken: 'abc' }] }
  const seen = await observe(stream, [sse([checkpoint, { candidates: [{ finishReason: 'STOP' }] }])])
  t.equal(seen.finish.continuation, true)
})

t.test('thoughts and empty text are no content', async (t) => {
  const answer = (...parts: unknown[]): Buffer => body({ candidates: [{ content: { parts }, finishReason: 'STOP' }] })
  for (const [part, hasContent] of [
    [{ text: 'x' }, true],
    [{ text: '' }, false],
    [{ text: '', thoughtSignature: 'abc' }, false],
    [{ text: 'thinking', thought: true }, false],
    [{ thought: true, text: 'thinking' }, false],
    [{ text: 'x', thought: false }, true],
    [{ inlineData: { data: 'aGk=' } }, true],
    [{ inline_data: { data: 'aGk=' } }, true],
    [{ executableCode: { code: '1' } }, true],
    [{ functionCall: { name: 'f' } }, true],
  ] as const) {
    t.equal((await observe(unary, [answer(part)])).finish.hasContent, hasContent, JSON.stringify(part))
  }
  t.equal((await observe(unary, [answer({ text: 'a', thought: true }, { text: 'b' })])).finish.hasContent, true)
  const single = body({ candidates: [{ content: { parts: { text: 'x' } } }] })
  t.equal((await observe(unary, [single])).finish.hasContent, true, 'a part that stands alone')
})

t.test('embeddings, counts and everything else are told apart', async (t) => {
  const kind = async (document: unknown): Promise<unknown[]> => {
    const { finish, complete } = await observe(unary, [body(document)])
    return [finish.kind, complete]
  }
  t.same(await kind({ embedding: { values: [1] } }), ['embedding', true])
  t.same(await kind({ embeddings: [], usageMetadata: { promptTokenCount: 4 } }), ['embedding', true])
  t.same(await kind({ totalTokens: 4 }), ['count', true])
  t.same(await kind({ name: 'cachedContents/x', usageMetadata: { totalTokenCount: 4 } }), ['none', false])
  t.same(await kind({ error: { code: 400, status: 'INVALID_ARGUMENT' } }), ['none', false])
})
