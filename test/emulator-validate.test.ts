import fc from 'fast-check'
import t from 'tap'
import { checkFields } from '../src/emulator/fields.ts'
import type { JsonObject } from '../src/emulator/json.ts'
import { parseRoute } from '../src/emulator/route.ts'
import { validateContents } from '../src/emulator/validate.ts'
import { noRecordings, recordings } from './emulator-start.ts'

const user = (text = 'Hi'): JsonObject => ({ role: 'user', parts: [{ text }] })
const model = (text = 'Hello'): JsonObject => ({ role: 'model', parts: [{ text }] })
const call = (name: string, more: JsonObject = {}, decorations: JsonObject = {}): JsonObject => ({
  functionCall: { name, args: {}, ...more },
  ...decorations,
})
const result = (name: string, more: JsonObject = {}): JsonObject => ({
  functionResponse: { name, response: {}, ...more },
})
const calls = (...parts: JsonObject[]): JsonObject => ({ role: 'model', parts })
const results = (...parts: JsonObject[]): JsonObject => ({ role: 'user', parts })
const signed = { thoughtSignature: 'c2lnbmVk' }

/** The refusal of a history, or null. */
const judge = (contents: JsonObject[], name = 'gemini-3.5-flash') =>
  validateContents({ contents }, name)?.message ?? null

t.test('every recorded request that Google answered is accepted', { skip: noRecordings }, async (t) => {
  let accepted = 0
  for (const recording of [...recordings('raw'), ...recordings('reserialized')]) {
    if (recording.status !== 200 || !/^(generateContent|streamGenerateContent)$/.test(recording.kind)) continue
    const url = new URL(recording.url.replace(/<[^>]*>/g, 'x'))
    const route = parseRoute(url.pathname + url.search)!
    const body = JSON.parse(recording.requestBody)
    t.equal(validateContents(body, route.model!, route.dialect)?.message ?? null, null, recording.file)
    t.doesNotThrow(() => checkFields(body), recording.file)
    accepted++
  }
  t.ok(accepted > 250, `${accepted} requests`)
})

t.test('a history starts and ends with the user', async (t) => {
  t.equal(judge([user(), model(), user()]), null)
  t.match(judge([model(), user()]), /begin with a user role/)
  t.match(judge([user(), model()]), /end with a user role or a function response/)
  t.match(judge([]), /contents is not specified/)
  t.match(judge([{ role: 'user', parts: [] }]), /parts must not be empty/)
  t.match(judge([{ role: 'user', parts: [{}] }]), /must have one initialized field/)
})

t.test('a missing role is the user’s, except on Vertex', async (t) => {
  const body = { contents: [{ parts: [{ text: 'Hi' }] }] }
  t.equal(validateContents(body, 'gemini-2.5-flash'), null)
  t.match(validateContents(body, 'gemini-2.5-flash', 'vertex')?.message, /valid role/)
  t.match(
    validateContents({ contents: [{ role: 'system', parts: [{ text: 'x' }] }] }, 'gemini-2.5-flash')?.message,
    /valid role/,
  )
})

t.test('results follow their calls at once, as many as there were', async (t) => {
  const two = calls(call('a', {}, signed), call('b'))
  t.equal(judge([user(), two, results(result('a'), result('b'))]), null)
  t.equal(judge([user(), two, results(result('a')), results(result('b'))]), null, 'results in contents of their own')
  t.match(judge([user(), two, results(result('a'))]), /number of function response parts is equal/)
  t.match(judge([user(), two, user('never mind')]), /number of function response parts is equal/)
  t.match(
    judge([user(), two, user('wait'), results(result('a'), result('b'))]),
    /number of function response parts is equal/,
  )
  t.match(judge([user(), results(result('a'))]), /function response turn comes immediately after a function call turn/)
  t.match(judge([user(), model(), results(result('a'))]), /function response turn comes immediately after/)
  t.equal(
    judge([user(), calls(call('a')), user('never mind')], 'gemini-2.0-flash'),
    null,
    'Gemini 2.0 lets a call drop',
  )
})

t.test('ids pair calls and results', async (t) => {
  const one = calls(call('a', { id: '1' }, signed))
  t.equal(judge([user(), one, results(result('a', { id: '1' }))]), null)
  t.equal(judge([user(), one, results(result('a'))]), null, 'ids are optional')
  t.match(judge([user(), one, results(result('a', { id: '2' }))]), /Unknown function call id: 2/)
})

t.test('contents of one speaker are one turn, as chats of the official SDK keep them', async (t) => {
  const streamed = [calls(call('a', {}, signed)), calls(call('b')), calls({ text: '' })]
  t.equal(judge([user(), ...streamed, results(result('a'), result('b'))]), null)
})

t.test('Gemini 3 and later want signatures on the first call of each step of the current turn', async (t) => {
  const unsigned = [user(), calls(call('look')), results(result('look'))]
  t.match(
    judge(unsigned),
    /^Function call is missing a thought_signature in functionCall parts\..*`default_api:look` , position 2/,
  )
  t.equal(judge(unsigned, 'gemini-2.5-pro'), null)
  t.equal(judge([...unsigned, model(), user()]), null, 'earlier turns are not checked')
  const steps = [user(), calls(call('a', {}, signed)), results(result('a')), calls(call('b')), results(result('b'))]
  t.match(judge(steps), /`default_api:b` , position 4/)
  t.equal(judge([user(), calls(call('a', {}, signed), call('b')), results(result('a'), result('b'))]), null)
  t.equal(
    judge([
      user(),
      calls(call('a', {}, { thought_signature: 'skip_thought_signature_validator' })),
      results(result('a')),
    ]),
    null,
  )
  for (const name of ['gemini-4-argon', 'models/gemini-3-flash-preview', 'gemini-flash-latest'])
    t.match(judge(unsigned, name), /thought_signature/)
})

t.test('a cache excludes instruction, tools and tool settings', async (t) => {
  const body = { contents: [user()], cachedContent: 'cachedContents/x' }
  t.equal(validateContents(body, 'gemini-2.5-flash'), null)
  for (const field of ['systemInstruction', 'system_instruction', 'tools', 'toolConfig']) {
    t.match(
      validateContents({ ...body, [field]: {} }, 'gemini-2.5-flash')?.message,
      /^CachedContent can not be used/,
      field,
    )
  }
})

t.test('both casings are judged alike', async (t) => {
  const snake = [
    user(),
    { role: 'model', parts: [{ function_call: { name: 'a', args: {} }, thought_signature: 'x' }] },
    { role: 'user', parts: [{ function_response: { name: 'a', response: {} } }] },
  ]
  t.equal(judge(snake), null)
  t.match(judge([snake[0]!, snake[1]!, user()]), /number of function response parts/)
})

t.test(
  'sound conversations stay sound when whole turns go from the front, and never throw when parts go',
  async (_t) => {
    const step = fc
      .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
      .map((names) => [
        calls(...names.map((name, index) => call(name, { id: `${name}${index}` }, index === 0 ? signed : {}))),
        results(...names.map((name, index) => result(name, { id: `${name}${index}` }))),
      ])
    const turn = fc.array(step, { maxLength: 3 }).map((steps) => [user(), ...steps.flat(), model()])
    const talk = fc.array(turn, { maxLength: 4 })
    fc.assert(
      fc.property(talk, fc.nat(4), fc.nat(), (turns, dropped, cut) => {
        const kept = [...turns.slice(dropped).flat(), user()]
        if (judge(kept) !== null) return false
        judge(kept.filter((_, index) => index !== cut % kept.length))
        return true
      }),
      { numRuns: 300 },
    )
  },
)

t.test('anything at all gets a verdict, not an exception', async (_t) => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const verdict = validateContents({ contents: value } as JsonObject, 'gemini-3.5-flash')
      return verdict === null || verdict.code === 400
    }),
    { numRuns: 300 },
  )
})
