import t from 'tap'
import { type Answered, refusal } from '../src/cache/admit.ts'
import { createPolicy, defaultSettled, type PolicyOptions } from '../src/cache/policy.ts'
import { readTraits } from '../src/cache/traits.ts'

const HOUR = 3_600_000

function decide(body: unknown, options: PolicyOptions = {}, operation = 'generateContent', dialect = 'native') {
  return createPolicy(options).decide({
    operation,
    model: 'gemini-2.5-flash',
    interaction: 'summary',
    traits: readTraits(body, dialect),
  })
}

t.test('a plain question is remembered for an hour, an embedding for a day', async (t) => {
  t.match(decide({ contents: [] }), { cache: true, ttlMs: HOUR, rule: -1, maxTokensAnswers: false })
  t.match(decide({ contents: [], generationConfig: { temperature: 1.5 } }), { cache: true })
  t.match(decide({ content: {} }, {}, 'embedContent'), { cache: true, ttlMs: 24 * HOUR, rule: 1 })
  t.match(decide({ messages: [] }, {}, 'chat.completions', 'openai'), { cache: true, ttlMs: HOUR })
})

t.test('answers that rest on the live world are not remembered, in either casing', async (t) => {
  for (const tool of [
    'googleSearch',
    'google_search',
    'urlContext',
    'code_execution',
    'fileSearch',
    'googleMaps',
    'computerUse',
  ]) {
    t.match(decide({ tools: [{ [tool]: {} }] }), { cache: false, reason: 'rule' }, tool)
  }
  t.match(decide({ tools: { google_search: {} } }), { cache: false }, 'a lone tool is a list of one')
  t.match(decide({ tools: [{ functionDeclarations: [{ name: 'f' }] }] }), { cache: true })
  t.match(decide({ web_search_options: {} }, {}, 'chat.completions', 'openai'), { cache: false })
  t.match(decide({ generateContentRequest: { tools: [{ googleSearch: {} }] } }, {}, 'countTokens'), { cache: false })
})

t.test('what Gemini keeps or continues is never answered from memory', async (t) => {
  const rules = [{ cache: true }]
  t.match(decide({ continuationToken: 'x' }, { rules }), { cache: false, reason: 'continuation' })
  t.match(decide({ continuation_token: 'x' }, { rules }), { cache: false, reason: 'continuation' })
  t.match(decide({ store: true }, { rules }), { cache: false, reason: 'stored' })
  t.match(decide({ input: 'x' }, { rules }, 'interactions', 'interactions'), { cache: false, reason: 'operation' })
  t.match(decide({}, { rules }, 'predict'), { cache: false, reason: 'operation' })
  t.equal(readTraits({ input: 'x' }, 'interactions').stored, true)
  t.equal(readTraits({ input: 'x', store: false }, 'interactions').stored, false)
})

t.test('an answer about a file does not outlive the file', async (t) => {
  const uri = 'https://generativelanguage.googleapis.com/v1beta/files/abc'
  const about = (fileUri: string) => ({ contents: [{ parts: { file_data: { file_uri: fileUri } } }] })
  t.match(decide(about(uri)), { cache: true, ttlMs: 600_000, staleIfErrorMs: 0 }, 'of unknown age: ten minutes')
  t.match(decide(about(uri), { fileAgeMs: () => 47.5 * HOUR }), { cache: true, ttlMs: HOUR / 2 })
  t.match(decide(about(uri), { fileAgeMs: () => HOUR }), { cache: true, ttlMs: HOUR, staleIfErrorMs: 0 })
  t.match(decide(about(uri), { fileAgeMs: () => 48 * HOUR }), { cache: false, reason: 'expired-file' })
  t.match(decide(about('https://example.com/a.pdf')), { cache: true, ttlMs: 600_000 })
  t.match(decide({ cachedContent: 'cachedContents/x' }), { cache: true, ttlMs: 600_000 })
  const nested = { contents: [{ parts: [{ functionResponse: { parts: [{ fileData: { fileUri: uri } }] } }] }] }
  t.same(readTraits(nested, 'native').fileUris, [uri])
})

t.test('the first rule that matches decides, and leaves the rest to the defaults', async (t) => {
  const rules = [
    { models: ['gemini-*-pro'], cache: false },
    { models: ['gemini-2.5-*'], interactions: ['summary'], ttlMs: 5, functionCallAnswers: true },
    { ttlMs: 7 },
  ]
  t.match(decide({}, { rules }), { rule: 1, ttlMs: 5, functionCallAnswers: true, convert: true })
  t.match(decide({}, { rules: [{ aboveTemperature: 0.5, cache: false }] }), { cache: false }, 'no temperature means 1')
  t.match(decide({ generationConfig: { temperature: 0 } }, { rules: [{ maxTemperature: 0, ttlMs: 9 }] }), { ttlMs: 9 })
  t.match(decide({}, { rules: [{ models: ['gemini.2.5-flash'] }] }), { rule: -1 }, 'a dot is a dot')
})

const good: Answered = {
  status: 200,
  clean: true,
  readable: true,
  complete: true,
  fallback: false,
  bytes: 100,
  finish: {
    kind: 'answer',
    finishReasons: ['STOP'],
    hasContent: true,
    hasFunctionCall: false,
    continuation: false,
  },
}
const finish = (more: Partial<Answered['finish']>): Answered => ({ ...good, finish: { ...good.finish, ...more } })

t.test('only whole, unblocked, ordinary answers are stored', async (t) => {
  t.equal(refusal(good, defaultSettled), undefined)
  t.equal(refusal(finish({ kind: 'embedding', finishReasons: [], hasContent: false }), defaultSettled), undefined)
  const bad: Array<[Answered, string]> = [
    [{ ...good, status: 206 }, 'status'],
    [{ ...good, status: 429 }, 'status'],
    [{ ...good, clean: false }, 'broken'],
    [{ ...good, errorTail: {} }, 'broken'],
    [{ ...good, complete: false }, 'broken'],
    [{ ...good, readable: false }, 'unreadable'],
    [{ ...good, fallback: true }, 'fallback'],
    [{ ...good, bytes: undefined }, 'too-large'],
    [finish({ blockReason: 'SAFETY', finishReasons: [] }), 'blocked'],
    [finish({ continuation: true }), 'continuation'],
    [finish({ finishReasons: ['CONTINUATION'] }), 'finish-reason'],
    [finish({ finishReasons: ['STOP', 'SAFETY'] }), 'finish-reason'],
    [finish({ finishReasons: ['FAKE_NEW_REASON'] }), 'finish-reason'],
    [finish({ finishReasons: ['MAX_TOKENS'] }), 'max-tokens'],
    [finish({ finishReasons: [] }), 'empty'],
    [finish({ hasContent: false }), 'empty'],
    [finish({ kind: 'none' }), 'empty'],
    [finish({ hasFunctionCall: true }), 'function-call'],
  ]
  for (const [answer, why] of bad) t.equal(refusal(answer, defaultSettled), why)
})

t.test('cut answers and function calls are stored where a rule allows them', async (t) => {
  const cut = { ...finish({ finishReasons: ['MAX_TOKENS'] }), complete: false }
  t.equal(refusal(cut, { ...defaultSettled, maxTokensAnswers: true }), undefined)
  t.equal(refusal({ ...cut, clean: false }, { ...defaultSettled, maxTokensAnswers: true }), 'broken')
  t.equal(refusal(finish({ hasFunctionCall: true }), { ...defaultSettled, functionCallAnswers: true }), undefined)
})
