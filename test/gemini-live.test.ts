import t from 'tap'
import { observe } from './gemini-observing.ts'

const live = { dialect: 'live', framing: 'frames' } as const

const frames = (...documents: unknown[]): Buffer[] => documents.map((document) => Buffer.from(JSON.stringify(document)))

const says = (text: string): unknown => ({ serverContent: { modelTurn: { parts: [{ text }] } } })
const usage = (prompt: number, response: number): { usageMetadata: unknown } => ({
  usageMetadata: {
    promptTokenCount: prompt,
    responseTokenCount: response,
    totalTokenCount: prompt + response,
    responseTokensDetails: [{ modality: 'AUDIO', tokenCount: response }],
  },
})
const over = { serverContent: { turnComplete: true } }

t.test('turns are summed, reports within a turn are not', async (t) => {
  const {
    usage: sum,
    finish,
    events,
  } = await observe(
    live,
    frames(
      { setupComplete: {} },
      { ...(says('a') as object), ...usage(143, 10) },
      { ...over, ...usage(143, 19) },
      says('b'),
      { ...over, ...usage(181, 24) },
    ),
  )
  t.match(sum, {
    promptTokens: 324,
    candidateTokens: 43,
    totalTokens: 367,
    byModality: { candidates: { AUDIO: 43 } },
    source: 'reported',
    identityHolds: true,
  })
  t.match(finish, { finishReasons: ['STOP'], hasContent: true, kind: 'answer' })
  t.equal(events, 5)
})

t.test('a report that comes after its turn still belongs to it', async (t) => {
  const { usage: sum } = await observe(live, frames(says('a'), over, usage(10, 1), says('b'), over, usage(20, 2)))
  t.match(sum, { promptTokens: 30, candidateTokens: 3 })
})

t.test('a tool call ends a generation', async (t) => {
  const call = { toolCall: { functionCalls: [{ name: 'f', id: '1' }] } }
  const { usage: sum, finish } = await observe(
    live,
    frames(says('a'), { ...call, ...usage(10, 4) }, says('b'), { ...over, ...usage(30, 5) }),
  )
  t.match(sum, { promptTokens: 40, candidateTokens: 9 })
  t.equal(finish.hasFunctionCall, true)
})

t.test('a session that breaks off keeps what was reported and is not complete', async (t) => {
  const { usage: sum, complete, finish } = await observe(live, frames(says('a'), usage(10, 4)), false)
  t.match(sum, { promptTokens: 10, candidateTokens: 4 })
  t.equal(complete, false)
  t.same(finish.finishReasons, ['FINISH_REASON_UNSPECIFIED'])
})

t.test('snake_case frames are read alike', async (t) => {
  const { usage: sum } = await observe(
    live,
    frames({
      server_content: { model_turn: { parts: [{ text: 'x' }] }, turn_complete: true },
      usage_metadata: { prompt_token_count: 3, response_token_count: 2, total_token_count: 5 },
    }),
  )
  t.match(sum, { promptTokens: 3, candidateTokens: 2, totalTokens: 5 })
})

t.test('a frame that is not JSON is passed over', async (t) => {
  t.match(await observe(live, [Buffer.from('\u0000\u0001'), ...frames(says('a'), { ...over, ...usage(1, 1) })]), {
    readable: false,
    unreadable: 'malformed',
    usage: { totalTokens: 2 },
  })
})
