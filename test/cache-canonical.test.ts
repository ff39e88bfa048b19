import fc from 'fast-check'
import t from 'tap'
import { canonical } from '../src/cache/canonical.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const form = (body: string, operation = 'generateContent', model = 'gemini-2.5-flash') =>
  canonical(bytes(body), operation, model)
const text = (body: string, operation?: string, model?: string) => {
  const result = form(body, operation, model)
  return result.ok ? `${result.text}|${result.lifted}` : `refused: ${result.reason}`
}

t.test('the two casings, key orders and number forms of one request are one', async (t) => {
  t.equal(
    text(`{
      "generation_config": {"top_p": 1.0, "temperature": 5e-1, "stop_sequences": ["a"]},
      "system_instruction": {"parts": {"text": "be br\\u0069ef"}},
      "contents": [{"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": "AA=="}}]}]
    }`),
    text(`{
      "contents": [{"parts": [{"inlineData": {"data": "AA==", "mimeType": "image/png"}}], "role": "user"}],
      "systemInstruction": {"parts": [{"text": "be brief"}]},
      "generationConfig": {"temperature": 0.50, "stopSequences": ["a"], "topP": 1}
    }`),
  )
})

t.test('what Gemini reads as absent is absent', async (t) => {
  const plain = text('{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}')
  for (const same of [
    '{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[]}',
    '{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"safetySettings":null}',
    '{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"labels":{"team":"a"}}',
    '{"contents":[{"parts":[{"text":"hi"}]}]}',
    '{"model":"models/gemini-2.5-flash","contents":[{"role":"user","parts":[{"text":"hi"}]}]}',
  ]) {
    t.equal(text(same), plain, same)
  }
  for (const other of [
    '{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{}}',
    '{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"candidateCount":1}}',
    '{"contents":[{"role":"model","parts":[{"text":"hi"}]}]}',
    '{"model":"models/gemini-2.5-pro","contents":[{"role":"user","parts":[{"text":"hi"}]}]}',
  ]) {
    t.not(text(other), plain, other)
  }
})

t.test("the user's own names and values are never touched", async (t) => {
  const call = (args: string) =>
    text(`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":${args}}}]}]}`)
  t.not(call('{"top_p":1}'), call('{"topP":1}'))
  t.not(call('{"a":null}'), call('{}'))
  t.not(call('{"a":[]}'), call('{}'))
  t.not(call('{"a":12345678901234567890}'), call('{"a":12345678901234567891}'))
  t.not(call('{"a":-0}'), call('{"a":0}'))
  t.equal(call('{"a":1,"b":2.50}'), call('{"b":2.5,"a":1.0}'), 'a struct is a map')
  t.not(call('{"labels":1}'), call('{}'))
})

t.test("the order of a schema's properties is part of the question", async (t) => {
  const schema = (name: string, value: string) => text(`{"contents":[],"generationConfig":{"${name}":${value}}}`)
  const one = '{"type":"OBJECT","properties":{"why_so":{"type":"STRING"},"answer":{"type":"STRING"}}}'
  const two = '{"type":"OBJECT","properties":{"answer":{"type":"STRING"},"why_so":{"type":"STRING"}}}'
  t.not(schema('responseSchema', one), schema('responseSchema', two))
  t.not(schema('responseJsonSchema', one), schema('responseJsonSchema', two))
  t.equal(schema('responseSchema', one), schema('response_schema', one))
  t.not(
    schema('responseSchema', one),
    schema('responseSchema', one.replace('why_so', 'whySo')),
    'names of properties are data',
  )
  t.equal(
    schema('responseSchema', '{"any_of":[{"type":"STRING"}],"min_items":"1"}'),
    schema('responseSchema', '{"minItems":"1","anyOf":[{"type":"STRING"}]}'),
  )
})

t.test('bodies that cannot be told apart for sure have no canonical form', async (t) => {
  t.equal(text('{"contents":[],"contents":[]}'), 'refused: ambiguous')
  t.equal(text('{"top":1,"systemInstruction":{},"system_instruction":{}}'), 'refused: ambiguous')
  t.equal(text('{"a":{"b":1,"b":2}}'), 'refused: ambiguous')
  t.match(canonical(new Uint8Array([0x22, 0xff, 0x22]), 'x'), { ok: false, reason: 'encoding' })
  t.equal(text(`${'['.repeat(65)}${']'.repeat(65)}`), 'refused: depth')
  t.match(form(`${'['.repeat(64)}${']'.repeat(64)}`), { ok: true })
  t.equal(text('['.repeat(2_000_000)), 'refused: depth')
})

t.test('an OpenAI body gives up what only frames the answer', async (t) => {
  const chat = (body: string) => form(body, 'chat.completions', '')
  const plain = '{"model":"m","messages":[{"role":"user","content":"x"}]}'
  const streamed =
    '{"stream_options":{"include_usage":true},"stream":true,"model":"m","messages":[{"content":"x","role":"user"}]}'
  t.match(chat(plain), { ok: true, lifted: '' })
  t.match(chat(plain.replace('{', '{"stream":false,')), { ok: true, lifted: '' })
  t.match(chat(streamed), { lifted: 'stream:true,stream_options:{"include_usage":true}' })
  const forms = [plain, streamed].map(chat)
  t.equal(forms[0]?.ok && forms[0].text, forms[1]?.ok && forms[1].text)
  t.not(text(plain, 'chat.completions'), text(plain.replace('"m"', '"n"'), 'chat.completions'))
})

t.test('reads exactly the JSON that JSON.parse reads', async (t) => {
  const junk = fc.string({
    unit: fc.constantFrom(...'{}[]",:\\ \n0123456789.eE+-tfnu\u0001aé\u2028'.split('')),
    maxLength: 24,
  })
  fc.assert(
    fc.property(fc.oneof(junk, fc.json({ maxDepth: 5 })), (body) => {
      let isJson = true
      try {
        JSON.parse(body)
      } catch {
        isJson = false
      }
      const result = form(body, 'other')
      return result.ok === isJson || (!result.ok && result.reason === 'ambiguous')
    }),
    { numRuns: 2000 },
  )
  t.pass('2000 bodies')
})

/** An oracle that knows nothing of the code: a request as a model, written out in any spelling. */
const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    fc.string({ maxLength: 6 }),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Object.is(number, -0)),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.string({ minLength: 1, maxLength: 6 }), tie('any'), { maxKeys: 3, noNullPrototype: true }),
  ),
})).any

const turn = fc.record({
  role: fc.constantFrom('user', 'model'),
  parts: fc.array(
    fc.oneof(
      fc.record({ text: fc.string() }),
      fc.record({
        functionCall: fc.record({
          name: fc.string(),
          args: fc.dictionary(fc.string(), value, { noNullPrototype: true }),
        }),
      }),
      fc.record({ inlineData: fc.record({ mimeType: fc.string(), data: fc.base64String() }) }),
    ),
    { minLength: 1, maxLength: 3 },
  ),
})

const request = fc.record(
  {
    contents: fc.array(turn, { minLength: 1, maxLength: 3 }),
    systemInstruction: turn,
    cachedContent: fc.string(),
    generationConfig: fc.record(
      {
        topP: fc.double({ min: 0, max: 1, noNaN: true }),
        maxOutputTokens: fc.nat(),
        stopSequences: fc.array(fc.string(), { minLength: 1, maxLength: 2 }),
        responseMimeType: fc.string(),
        responseJsonSchema: fc.dictionary(fc.string(), value, { noNullPrototype: true }),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['contents'] },
)

/** Names that have a second spelling, by the path at which they do. */
const FIELDS = new Set([
  'systemInstruction',
  'cachedContent',
  'generationConfig',
  'topP',
  'maxOutputTokens',
  'stopSequences',
  'responseMimeType',
  'responseJsonSchema',
  'functionCall',
  'inlineData',
  'mimeType',
])
const OPAQUE = new Set(['args', 'responseJsonSchema'])

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** Writes a model of a request with random spaces, orders, casings, escapes and number forms. */
function spell(model: unknown, dice: () => number, data = false): string {
  const space = () => ['', ' ', '\n\t'][Math.floor(dice() * 3)] ?? ''
  if (typeof model === 'string') {
    const plain = JSON.stringify(model)
    return dice() < 0.5
      ? plain
      : `"${[...plain.slice(1, -1).split(/(\\u....|\\.|[^\\])/u)].map((piece) => (piece.length === 1 && dice() < 0.3 ? `\\u${piece.charCodeAt(0).toString(16).padStart(4, '0')}` : piece)).join('')}"`
  }
  if (typeof model === 'number') {
    const plain = String(model)
    if (/e/.test(plain)) return dice() < 0.5 ? plain : plain.replace('e', 'E')
    return dice() < 0.5 ? plain : /\./.test(plain) ? `${plain}0` : `${plain}.0`
  }
  if (Array.isArray(model)) {
    return `[${model.map((item) => space() + spell(item, dice, data) + space()).join(',')}]`
  }
  if (typeof model === 'object' && model !== null) {
    const entries = Object.entries(model)
    // Free data keeps its order here: whether that means anything is tested by example above.
    if (!data) entries.sort(() => dice() - 0.5)
    const fields = entries.map(([name, inner]) => {
      const other = !data && FIELDS.has(name) && dice() < 0.5 ? snake(name) : name
      return `${space()}${JSON.stringify(other)}${space()}:${space()}${spell(inner, dice, data || OPAQUE.has(name))}`
    })
    return `{${fields.join(',')}${space()}}`
  }
  return JSON.stringify(model)
}

function diceOf(seed: number): () => number {
  let state = seed | 1
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
}

t.test('any spelling of the same request has the same form', async (t) => {
  fc.assert(
    fc.property(request, fc.nat(), fc.nat(), (model, one, two) => {
      const forms = [spell(model, diceOf(one)), spell(model, diceOf(two))].map((body) => text(body))
      return forms[0] === forms[1] && !forms[0]?.startsWith('refused')
    }),
    { numRuns: 500 },
  )
  t.pass('500 requests, two spellings each')
})

/** Changes one leaf, or drops or adds one member, somewhere. */
function mutate(model: unknown, dice: () => number): unknown {
  if (Array.isArray(model)) {
    if (model.length === 0 || dice() < 0.2) return [...model, 'more']
    const at = Math.floor(dice() * model.length)
    return model.map((item, index) => (index === at ? mutate(item, dice) : item))
  }
  if (typeof model === 'object' && model !== null) {
    const names = Object.keys(model)
    if (names.length === 0 || dice() < 0.2) return { ...model, [`more${names.length}`]: 'more' }
    const name = names[Math.floor(dice() * names.length)] ?? ''
    return Object.fromEntries(
      Object.entries(model).map(([key, inner]) => [key, key === name ? mutate(inner, dice) : inner]),
    )
  }
  if (typeof model === 'string') return `${model}x`
  if (typeof model === 'number') return model === 0 ? 7 : -model
  return 'another kind'
}

t.test('any change that reaches Gemini changes the form', async (t) => {
  fc.assert(
    fc.property(request, fc.nat(), (model, seed) => {
      const changed = mutate(model, diceOf(seed))
      return text(JSON.stringify(model)) !== text(JSON.stringify(changed))
    }),
    { numRuns: 1000 },
  )
  t.pass('1000 mutations')
})
