import fc from 'fast-check'
import t from 'tap'
import { jsonDepth, peekBoolean, peekString } from '../src/gemini/peek.ts'

const body = (text: string): Buffer => Buffer.from(text)

t.test('a top-level string is found wherever it stands', async (t) => {
  t.equal(peekString(body('{"model":"gemini-3.6-flash","stream":true}'), 'model'), 'gemini-3.6-flash')
  t.equal(peekString(body(' {\n "messages": [{"model": "no"}, "}"],\r\n\t"model" : "yes" } '), 'model'), 'yes')
  t.equal(peekString(body('{"a":"\\"model\\":\\"no\\"","model":"é\\u00e9\\n"}'), 'model'), 'éé\n')
  t.equal(peekString(body('{"mod\\u0065l":"escaped"}'), 'model'), 'escaped')
})

t.test('nothing is made up', async (t) => {
  for (const text of [
    '',
    '{}',
    '[]',
    'null',
    '"model"',
    '{"messages":{"model":"no"}}',
    '{"model":1}',
    '{"model":null}',
    '{"model":"cut',
    '{"model":"yes"',
    '{"model":"yes"} x',
    '{"model" "yes"}',
    '{"model":"yes",}',
    '{model:"yes"}',
    '\ufeff{"model":"yes"}',
  ]) {
    t.equal(peekString(body(text), 'model'), undefined, text)
  }
})

t.test('of a repeated key the last one counts, as in JSON.parse', async (t) => {
  t.equal(peekString(body('{"model":"a","model":"b"}'), 'model'), 'b')
  t.equal(peekString(body('{"model":"a","model":1}'), 'model'), undefined)
})

t.test('booleans are read as such only', async (t) => {
  t.equal(peekBoolean(body('{"stream":true}'), 'stream'), true)
  t.equal(peekBoolean(body('{"stream" : false , "x":1}'), 'stream'), false)
  t.equal(peekBoolean(body('{"stream":"true"}'), 'stream'), undefined)
  t.equal(peekBoolean(body('{"streams":true}'), 'stream'), undefined)
})

t.test('peeking finds what was written, in any object', async (t) => {
  // What was written is the oracle, not JSON.parse: it can mistake escaped keys for each other (nodejs/node#63785).
  const key = fc.oneof(fc.constantFrom('model', 'stream', 'modelx', '"', '\\'), fc.string())
  fc.assert(
    fc.property(fc.dictionary(key, fc.jsonValue()), fc.boolean(), (value, pretty) => {
      const text = JSON.stringify(value, undefined, pretty ? 2 : 0)
      for (const name of ['model', '"', '\\']) {
        t.equal(peekString(body(text), name), typeof value[name] === 'string' ? value[name] : undefined)
      }
      t.equal(peekBoolean(body(text), 'stream'), typeof value.stream === 'boolean' ? value.stream : undefined)
    }),
  )
})

t.test('no bytes make it throw', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      peekString(Buffer.from(bytes), 'model')
      jsonDepth(Buffer.from(bytes), 3)
      return true
    }),
  )
  t.pass('any bytes')
})

t.test('nesting is measured without recursion', async (t) => {
  const nested = (depth: number): Buffer => body(`${'['.repeat(depth)}${']'.repeat(depth)}`)
  t.equal(jsonDepth(nested(64), 64), false)
  t.equal(jsonDepth(nested(65), 64), true)
  t.equal(jsonDepth(nested(1_000_000), 64), true)
  t.equal(jsonDepth(body('{"a":"[[[[\\"[["}'), 1), false)
  t.equal(jsonDepth(body('{"a":[{"b":1}]}'), 2), true)
  t.equal(jsonDepth(body('[[],[],[]]'), 2), false)
  t.equal(jsonDepth(body('"[['), 0), false)
  t.equal(peekString(body(`{"a":${nested(1_000_000)},"model":"deep"}`), 'model'), 'deep')
})
