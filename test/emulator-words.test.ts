import { Ajv } from 'ajv'
import fc from 'fast-check'
import t from 'tap'
import { camelCase } from '../src/emulator/casing.ts'
import type { JsonObject } from '../src/emulator/json.ts'
import { createRandom } from '../src/emulator/random.ts'
import { valueFor } from '../src/emulator/schema.ts'
import { firstTokens, keywords, pieces, prose } from '../src/emulator/text.ts'
import { textTokens } from '../src/emulator/tokens.ts'
import { ask, type Reply, says, start } from './emulator-start.ts'

const material = () => ({ words: ['Castor', 'Pollux', 'horse'], numbers: [3, 12.5] })
const ajv = new Ajv({ strict: false, validateFormats: false })

/** JSON Schemas of every kind that the emulator answers to. */
const schemas = fc.letrec<{ schema: JsonObject }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    fc.record({ type: fc.constant('string'), minLength: fc.nat(20) }, { requiredKeys: ['type'] }),
    fc.record({ type: fc.constant('string'), maxLength: fc.nat(20) }, { requiredKeys: ['type'] }),
    fc.record(
      { type: fc.constantFrom('integer', 'number'), minimum: fc.integer({ min: -99, max: 99 }) },
      { requiredKeys: ['type'] },
    ),
    fc.record(
      { type: fc.constantFrom('integer', 'number'), maximum: fc.integer({ min: -99, max: 99 }) },
      { requiredKeys: ['type'] },
    ),
    fc.record({ type: fc.constant('integer'), multipleOf: fc.integer({ min: 1, max: 9 }) }),
    fc.constant<JsonObject>({ type: 'boolean' }),
    fc.constant<JsonObject>({ type: ['string', 'null'] }),
    fc.record({ enum: fc.uniqueArray(fc.oneof(fc.string(), fc.integer()), { minLength: 1, maxLength: 4 }) }),
    fc.record({ const: fc.jsonValue() as fc.Arbitrary<string> }),
    fc.record(
      { type: fc.constant('array'), items: tie('schema'), minItems: fc.nat(3) },
      { requiredKeys: ['type', 'items'] },
    ),
    fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
    fc
      .dictionary(fc.stringMatching(/^[a-z_]{1,8}$/), tie('schema'), { maxKeys: 4 })
      .map((properties): JsonObject => ({ type: 'object', properties, required: Object.keys(properties) })),
  ) as fc.Arbitrary<JsonObject>,
}))

t.test('values drawn from a schema satisfy it', async (_t) => {
  fc.assert(
    fc.property(schemas.schema, fc.nat(), (schema, seed) => {
      const value = valueFor(schema, createRandom(seed), material())
      return ajv.validate(schema, value) === true
    }),
    { numRuns: 500 },
  )
})

t.test('references resolve and recursive schemas end', async (t) => {
  const schema: JsonObject = {
    $defs: {
      node: {
        type: 'object',
        properties: { name: { type: 'string' }, children: { type: 'array', items: { $ref: '#/$defs/node' } } },
        required: ['name', 'children'],
      },
    },
    $ref: '#/$defs/node',
  }
  for (let seed = 0; seed < 20; seed++) {
    t.ok(ajv.validate(schema, valueFor(schema, createRandom(seed), material())))
  }
})

t.test('Gemini’s own schemas work too: capital types, formats, property order', async (t) => {
  const emulator = await start(t)
  const responseSchema = {
    type: 'OBJECT',
    properties: {
      b: { type: 'STRING', format: 'date-time' },
      a: { type: 'ARRAY', items: { type: 'INTEGER' }, minItems: '2', maxItems: '2' },
    },
    propertyOrdering: ['a', 'b'],
    required: ['a', 'b'],
  }
  const body = says('When and how many?', {
    generationConfig: { responseMimeType: 'application/json', responseSchema },
  })
  const answer = (await ask(emulator, '/v1/models/gemini-2.5-flash:generateContent', body)).json<Reply>()
  const value = JSON.parse(answer.candidates[0]!.content.parts![0]!.text!)
  t.strictSame(Object.keys(value), ['a', 'b'])
  t.equal(value.a.length, 2)
  t.ok(Date.parse(value.b) > 0)
  const choice = says('Which?', {
    generationConfig: { responseMimeType: 'text/x.enum', responseSchema: { type: 'STRING', enum: ['yes', 'no'] } },
  })
  const word = (await ask(emulator, '/v1/models/gemini-2.5-flash:generateContent', choice)).json<Reply>()
  t.match(word.candidates[0]!.content.parts![0]!.text, /^(yes|no)$/)
})

t.test('pieces join to the text, break no character, and respect their size', async (_t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), fc.integer({ min: 1, max: 20 }), (text, tokens) => {
      const found = pieces(text, tokens)
      return found.join('') === text && found.every((piece) => piece.isWellFormed() && piece.length <= tokens * 8 + 2)
    }),
  )
})

t.test('the first tokens are a prefix within the budget', async (_t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.nat(80), (text, tokens) => {
      const first = firstTokens(text, tokens)
      return text.startsWith(first) && textTokens(first) <= tokens && first.isWellFormed()
    }),
  )
})

t.test('prose is as long as asked, speaks of the prompt, and repeats itself for a seed', async (t) => {
  const text = prose('How did Castor tame horses?', 100, 7)
  t.ok(textTokens(text) >= 95 && textTokens(text) < 140)
  t.match(text, /Castor/)
  t.equal(prose('How did Castor tame horses?', 100, 7), text)
  t.strictSame(keywords('How did Castor tame the horses of Castor?'), ['Castor', 'tame', 'horses'])
})

t.test('casing is changed in names of fields, never in the caller’s data', async (t) => {
  const body: JsonObject = {
    system_instruction: { parts: [] },
    contents: [{ parts: [{ function_call: { name: 'f', args: { my_arg: { deep_one: 1 } } } }, { text: 'a_b' }] }],
    tools: [{ function_declarations: [{ parameters: { type: 'object', properties: { my_arg: { min_items: 1 } } } }] }],
  }
  t.strictSame(camelCase(body, JSON.stringify(body)), {
    systemInstruction: { parts: [] },
    contents: [{ parts: [{ functionCall: { name: 'f', args: { my_arg: { deep_one: 1 } } } }, { text: 'a_b' }] }],
    tools: [{ functionDeclarations: [{ parameters: { type: 'object', properties: { my_arg: { minItems: 1 } } } }] }],
  })
  const plain: JsonObject = { contents: [] }
  t.equal(camelCase(plain, JSON.stringify(plain)), plain)
})

t.test('a text part of a list of scripts counts by script', async (t) => {
  t.equal(textTokens(''), 0)
  t.equal(textTokens('What is the capital of France?'), 8)
  t.ok(textTokens('日本の首都はどこですか') > textTokens('abcdefghijk'))
})
