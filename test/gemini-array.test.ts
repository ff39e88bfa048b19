import fc from 'fast-check'
import t from 'tap'
import { createArraySplitter } from '../src/gemini/array.ts'
import { array, cut, jsonValues, keys } from './gemini-observing.ts'

type Split = { elements: unknown[]; oversized: number; rest: string; ended: boolean }

function split(pieces: Buffer[], maxBytes = 100_000): Split {
  const elements: unknown[] = []
  let oversized = 0
  const splitter = createArraySplitter(maxBytes, (bytes, tooLarge) => {
    if (tooLarge) oversized += 1
    else elements.push(JSON.parse(bytes.toString()))
  })
  for (const piece of pieces) splitter.push(piece)
  const { bytes, ended } = splitter.end()
  return { elements, oversized, rest: bytes.toString(), ended }
}

t.test('elements come whole, in order', async (t) => {
  t.same(split([array([{ a: 1 }, { b: '}],{' }, { c: '\\"' }])]), {
    elements: [{ a: 1 }, { b: '}],{' }, { c: '\\"' }],
    oversized: 0,
    rest: '',
    ended: true,
  })
  t.same(split([Buffer.from('[]')]), { elements: [], oversized: 0, rest: '', ended: true })
})

t.test('an object instead of the array is its only element', async (t) => {
  t.match(split([Buffer.from('{"error": {"code": 400}}\n')]), { elements: [{ error: { code: 400 } }], ended: true })
})

t.test('an array that breaks off has not ended', async (t) => {
  t.match(split([Buffer.from('[{"a":1}\n,\r\n')]), { elements: [{ a: 1 }], ended: false })
  t.match(split([Buffer.from('[{"a":1},{"b":"')]), { elements: [{ a: 1 }], rest: '{"b":"', ended: false })
  t.match(split([]), { elements: [], ended: false })
})

t.test('the cut of the chunks does not matter', async (t) => {
  const documents = [{ text: 'quo"te \\ é 東京 {[' }, { nested: [[{ deep: ']' }]], n: -1.5e3 }, {}]
  const bytes = array(documents)
  for (let at = 1; at < bytes.length; at += 1) t.same(split(cut(bytes, [at])).elements, documents, `cut at ${at}`)
  t.same(split(cut(bytes, Array.from(bytes.keys()))).elements, documents, 'byte by byte')

  fc.assert(
    fc.property(fc.array(fc.dictionary(keys, jsonValues)), fc.array(fc.nat(500)), (values, positions) => {
      const stream = array(values)
      t.strictSame(split(cut(stream, positions)), {
        elements: JSON.parse(stream.toString()),
        oversized: 0,
        rest: '',
        ended: true,
      })
    }),
  )
})

t.test('an element past the bound is passed over, the next one is whole', async (t) => {
  const bytes = array([{ a: 'x'.repeat(9000) }, { b: 1 }])
  t.match(split(cut(bytes, [2000, 4000, 6000]), 1000), { elements: [{ b: 1 }], oversized: 1, ended: true })
})
