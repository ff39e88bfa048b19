import t from 'tap'
import { loadConfig } from '../config/load.ts'
import { createPolicy } from '../src/cache/policy.ts'
import { read } from '../src/cache/settings.ts'
import { readTraits } from '../src/cache/traits.ts'

const parse = (text: string) => loadConfig({ file: 'test.yaml', text, env: {} })

/** A request that uses each feature a rule can name. */
const uses: Record<string, object> = {
  functions: { tools: [{ functionDeclarations: [{ name: 'f' }] }] },
  search: { tools: [{ googleSearch: {} }] },
  maps: { tools: [{ googleMaps: {} }] },
  urlContext: { tools: [{ urlContext: {} }] },
  fileSearch: { tools: [{ fileSearch: {} }] },
  codeExecution: { tools: [{ codeExecution: {} }] },
  otherTool: { tools: [{ computerUse: {} }] },
  file: {
    contents: [{ parts: [{ fileData: { fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/x' } }] }],
  },
  externalFile: { contents: [{ parts: [{ fileData: { fileUri: 'https://example.com/x.pdf' } }] }] },
  cachedContent: { cachedContent: 'cachedContents/x' },
}

for (const feature of Object.keys(uses)) {
  t.test(`a rule with ${feature} holds for requests that use it, and for no others`, async (t) => {
    const config = parse(`cache: { policy: [{ with: [${feature}], cache: false }] }`)
    const policy = createPolicy(read(config, config.cache.ttl).policy)
    for (const [name, other] of Object.entries(uses)) {
      const traits = readTraits(other, 'native')
      const decision = policy.decide({ operation: 'generateContent', model: 'm', interaction: '', traits })
      t.equal(decision.cache, name !== feature, name)
    }
  })
}

t.test('the words of a rule and the times of the section reach the policy', async (t) => {
  const config = parse(`cache:
  ttl: 2h
  referenceTtl: 5m
  staleIfError: 3h
  policy:
    - { models: [gemini-*-flash], temperature: zero, ttl: 7d, maxTokensAnswers: true }
    - { interactions: [question_generation], temperature: aboveZero, cache: false }
    - { operations: [countTokens], convert: false, functionCallAnswers: true }`)
  const policy = createPolicy(read(config, config.cache.ttl).policy)
  const decide = (body: object, over: { operation?: string; model?: string; interaction?: string } = {}) =>
    policy.decide({
      operation: 'generateContent',
      model: 'gemini-2.5-pro',
      interaction: '',
      traits: readTraits(body, 'native'),
      ...over,
    })
  const hour = 3_600_000
  t.match(decide({}), { cache: true, rule: -1, ttlMs: 2 * hour, staleIfErrorMs: 3 * hour })
  const cold = { generationConfig: { temperature: 0 } }
  t.match(decide(cold, { model: 'gemini-2.5-flash' }), { rule: 0, ttlMs: 7 * 24 * hour, maxTokensAnswers: true })
  t.match(decide({}, { model: 'gemini-2.5-flash' }), { rule: -1 }, 'a temperature that is not sent is 1')
  t.match(decide({}, { interaction: 'question_generation' }), { cache: false, reason: 'rule' })
  t.match(decide({}, { operation: 'countTokens' }), { rule: 2, convert: false, functionCallAnswers: true })
  t.match(decide(uses.file ?? {}), { ttlMs: hour / 12, staleIfErrorMs: 0 }, 'not longer than what it refers to')
})
