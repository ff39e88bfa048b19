// Whatever of a request reaches Gemini and can shape its answer is in the key; whatever is not in the key does not reach it, or says
// only who asks and how.
import t from 'tap'
import { type AskOptions, ask, unary } from './cache-ask.ts'
import { gateway } from './helper.ts'

const base = {
  contents: [{ role: 'user', parts: [{ text: 'x' }] }],
  generationConfig: { temperature: 0.5, maxOutputTokens: 900 },
}
const withConfig = (config: object) => ({ ...base, generationConfig: { ...base.generationConfig, ...config } })
const body = (value: object): AskOptions => ({ body: JSON.stringify(value) })

const shared = (async () => {
  const opened = await gateway(t, 'cache: { mode: "on" }')
  await ask(opened.url, '', body(base))
  return opened
})()

/** Every field of a request that Gemini documents, changed one at a time. */
const bodies: Record<string, object> = {
  text: { ...base, contents: [{ role: 'user', parts: [{ text: 'x ' }] }] },
  'second part': { ...base, contents: [{ role: 'user', parts: [{ text: 'x' }, { text: '' }] }] },
  'second turn': { ...base, contents: [...base.contents, { role: 'model', parts: [{ text: 'y' }] }, ...base.contents] },
  role: { ...base, contents: [{ role: 'model', parts: [{ text: 'x' }] }] },
  image: {
    ...base,
    contents: [{ role: 'user', parts: [{ text: 'x' }, { inlineData: { mimeType: 'image/png', data: 'AAAA' } }] }],
  },
  'other image': {
    ...base,
    contents: [{ role: 'user', parts: [{ text: 'x' }, { inlineData: { mimeType: 'image/png', data: 'AAAB' } }] }],
  },
  'image type': {
    ...base,
    contents: [{ role: 'user', parts: [{ text: 'x' }, { inlineData: { mimeType: 'image/gif', data: 'AAAA' } }] }],
  },
  thought: { ...base, contents: [{ role: 'user', parts: [{ text: 'x', thought: true }] }] },
  signature: { ...base, contents: [{ role: 'user', parts: [{ text: 'x', thoughtSignature: 'AAAA' }] }] },
  systemInstruction: { ...base, systemInstruction: { parts: [{ text: 's' }] } },
  safetySettings: { ...base, safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE' }] },
  tools: { ...base, tools: [{ functionDeclarations: [{ name: 'f', description: 'd' }] }] },
  toolConfig: { ...base, toolConfig: { functionCallingConfig: { mode: 'ANY' } } },
  'service tier': { ...base, serviceTier: 'flex' },
  'unknown field': { ...base, somethingNew: 1 },
  temperature: withConfig({ temperature: 0.6 }),
  'temperature 0': withConfig({ temperature: 0 }),
  topP: withConfig({ topP: 0.9 }),
  topK: withConfig({ topK: 3 }),
  maxOutputTokens: withConfig({ maxOutputTokens: 901 }),
  candidateCount: withConfig({ candidateCount: 2 }),
  stopSequences: withConfig({ stopSequences: ['a'] }),
  'stop order': withConfig({ stopSequences: ['b', 'a'] }),
  seed: withConfig({ seed: 1 }),
  presencePenalty: withConfig({ presencePenalty: 0.1 }),
  frequencyPenalty: withConfig({ frequencyPenalty: 0.1 }),
  responseMimeType: withConfig({ responseMimeType: 'application/json' }),
  responseSchema: withConfig({ responseMimeType: 'application/json', responseSchema: { type: 'OBJECT' } }),
  responseJsonSchema: withConfig({ responseMimeType: 'application/json', responseJsonSchema: { type: 'object' } }),
  responseModalities: withConfig({ responseModalities: ['TEXT'] }),
  responseLogprobs: withConfig({ responseLogprobs: true }),
  thinkingBudget: withConfig({ thinkingConfig: { thinkingBudget: 0 } }),
  includeThoughts: withConfig({ thinkingConfig: { includeThoughts: true } }),
  mediaResolution: withConfig({ mediaResolution: 'MEDIA_RESOLUTION_LOW' }),
}

const others: Record<string, AskOptions> = {
  model: { path: '/v1beta/models/gemini-2.5-pro:generateContent' },
  version: { path: '/v1/models/gemini-2.5-flash:generateContent' },
  operation: { path: '/v1beta/models/gemini-2.5-flash:countTokens' },
  fields: { path: `${unary}?fields=candidates` },
  prettyPrint: { path: `${unary}?prettyPrint=false` },
  $fields: { path: `${unary}?%24fields=candidates` },
  'unknown parameter': { path: `${unary}?something=new` },
  alt: { path: `${unary}?alt=json` },
  'api-revision': { headers: { 'api-revision': '2026-01-01' } },
  'field mask': { headers: { 'x-goog-fieldmask': 'candidates' } },
  'user project': { headers: { 'x-goog-user-project': 'p' } },
  'unknown header of the family': { headers: { 'x-goog-something-new': '1' } },
  'gemini header': { headers: { 'x-gemini-something-new': '1' } },
  language: { headers: { 'accept-language': 'de' } },
  'vertex tier': { headers: { 'x-vertex-ai-llm-request-type': 'shared' } },
}

/** They reach Gemini and say who asks with what, not what is asked. */
const silent: Record<string, AskOptions> = {
  'user agent': { headers: { 'user-agent': 'other/1' } },
  client: { headers: { 'x-goog-api-client': 'other/1' } },
  origin: { headers: { origin: 'https://example.com' } },
  'key in the query': { path: `${unary}?key=one`, headers: { 'x-goog-api-key': '' } },
  'sdk telemetry': { headers: { 'x-stainless-retry-count': '1' } },
}

/** They stay here. */
const dropped: Record<string, AskOptions> = {
  'own header': { headers: { 'x-something': 'new' } },
  cookie: { headers: { cookie: 'a=b' } },
  tags: { headers: { 'x-castor-tags': 'team=a' } },
}

for (const [name, options] of Object.entries({
  ...Object.fromEntries(Object.entries(bodies).map(([name, value]) => [name, body(value)])),
  ...others,
})) {
  t.test(`${name}: another question`, async (t) => {
    const { url } = await shared
    t.notMatch((await ask(url, '', { ...body(base), ...options })).cache, /hit/)
  })
}

for (const [name, options] of Object.entries({ ...silent, ...dropped })) {
  t.test(`${name}: the same question`, async (t) => {
    const { url } = await shared
    t.match((await ask(url, '', { ...body(base), ...options })).cache, /hit/)
  })
}

t.test('what stays here did not reach Gemini', async (t) => {
  const { url, emulator } = await shared
  for (const { headers } of Object.values(dropped)) {
    await ask(url, '', { ...body(base), headers: { ...headers, 'cache-control': 'no-cache' } })
    const sent = emulator.calls.at(-1)?.headers.map((name) => name.toLowerCase()) ?? []
    for (const name of Object.keys(headers ?? {})) t.notOk(sent.includes(name), name)
  }
})
