import t from 'tap'
import { createGather } from '../src/gemini/gather.ts'

t.test('a document in one piece comes back without a copy', async (t) => {
  const gather = createGather(100)
  const piece = Buffer.from('abc')
  gather.push(piece)
  t.equal(gather.take().bytes, piece)
  t.equal(gather.size(), 0)
})

t.test('pieces are joined and the next document starts afresh', async (t) => {
  const gather = createGather(100)
  for (const text of ['a', '', 'b', 'c']) gather.push(Buffer.from(text))
  t.equal(gather.size(), 3)
  t.equal(gather.take().bytes.toString(), 'abc')
  gather.push(Buffer.from('d'))
  t.match(gather.take(), { bytes: Buffer.from('d'), oversized: false })
})

t.test('past the bound only the end is kept', async (t) => {
  const gather = createGather(10)
  for (const digit of '0123456789abcdef') gather.push(Buffer.from(digit))
  const { bytes, oversized } = gather.take()
  t.equal(oversized, true)
  t.equal(bytes.toString(), '6789abcdef')
  t.equal(gather.take().oversized, false)
})

t.test('a document of many small pieces is whole', async (t) => {
  const gather = createGather(1_000_000)
  for (let index = 0; index < 5000; index += 1) gather.push(Buffer.from(`${index},`))
  const expected = `${Array.from({ length: 5000 }, (_, index) => index).join(',')},`
  t.equal(gather.take().bytes.toString(), expected)
})

t.test('memory stays bounded however much comes', async (t) => {
  const gather = createGather(1024 * 1024)
  const piece = Buffer.alloc(256 * 1024, 'x')
  for (let index = 0; index < 400; index += 1) gather.push(piece)
  gather.push(Buffer.from('end'))
  const { bytes, oversized } = gather.take()
  t.ok(oversized)
  t.equal(bytes.length, 64 * 1024)
  t.ok(bytes.toString().endsWith('xend'))
})
