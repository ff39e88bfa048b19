import fc from 'fast-check'
import t from 'tap'
import { list, object, skim, value } from '../src/gemini/skim.ts'
import { jsonValues, keys } from './gemini-observing.ts'

/** What a sink is told, as values by id. */
function told(text: string, shape: Parameters<typeof skim>[2]): { told: [number, unknown][]; end: number } {
  const seen: [number, unknown][] = []
  const end = skim(Buffer.from(text), 0, shape, (id, bytes, start, stop) => {
    seen.push([id, JSON.parse(bytes.toString('utf8', start, stop))])
  })
  return { told: seen, end }
}

const shape = object({ 'a|b': value(1), c: object({ d: value(2) }, 3), e: list(object({ f: value(4) }, 5)) })

t.test('only the wanted values are told, children before parents', async (t) => {
  t.same(told('{"x":{"a":0},"a":1,"c":{"z":[],"d":"}"},"e":[{"f":2},{"g":3}],"b":[4]}', shape).told, [
    [1, 1],
    [2, '}'],
    [3, { z: [], d: '}' }],
    [4, 2],
    [5, { f: 2 }],
    [5, { g: 3 }],
    [1, [4]],
  ])
})

t.test('one element stands for a list of it', async (t) => {
  t.same(told('{"e":{"f":2}}', shape).told, [
    [4, 2],
    [5, { f: 2 }],
  ])
})

t.test('escaped keys hide nothing', async (t) => {
  t.same(told('{"\\u0061":1,"\\u0065":[{"\\u0066":2}]}', shape).told, [
    [1, 1],
    [4, 2],
    [5, { f: 2 }],
  ])
})

t.test('bytes that are not JSON end the walk', async (t) => {
  for (const text of [
    '',
    '{',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{a:1}',
    '{"a" 1}',
    '{"e":[1,]}',
    '{"a":}',
  ]) {
    t.equal(told(text, shape).end, -1, text)
  }
})

t.test('the walk sees what JSON.parse sees', async (t) => {
  const key = fc.oneof(fc.constantFrom('a', 'c', 'd', 'e', 'f'), keys)
  const inner = fc.dictionary(key, jsonValues)
  const outer = fc.record({ a: jsonValues, c: inner, e: fc.array(inner), z: jsonValues }, { requiredKeys: [] })
  fc.assert(
    fc.property(outer, fc.boolean(), (document, pretty) => {
      const text = JSON.stringify(document, undefined, pretty ? 2 : 0)
      const parsed = JSON.parse(text)
      const { told: seen, end } = told(text, shape)
      const of = (id: number): unknown[] => seen.filter(([which]) => which === id).map(([, what]) => what)
      t.equal(end, Buffer.byteLength(text))
      t.same(of(1), Object.hasOwn(parsed, 'a') ? [parsed.a] : [])
      t.same(of(2), parsed.c && Object.hasOwn(parsed.c, 'd') ? [parsed.c.d] : [])
      t.same(of(5), parsed.e ?? [])
    }),
    { numRuns: 200 },
  )
})
