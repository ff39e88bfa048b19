import zlib from 'node:zlib'
import t from 'tap'
import { createDecoder, type DecodeFault, isIdentity } from '../src/gemini/decode.ts'
import { chunk, cut, observe, sse } from './gemini-observing.ts'

type Decoded = { text: string; fault: DecodeFault | undefined; ends: number }

function decode(encoding: string, pieces: Buffer[], maxBytes = 1_000_000): Promise<Decoded> {
  return new Promise((resolve) => {
    const decoded: Buffer[] = []
    let ends = 0
    const decoder = createDecoder(
      encoding,
      maxBytes,
      (bytes) => {
        decoded.push(bytes)
      },
      (fault) => {
        ends += 1
        // Later calls, if there were any, come within a turn or two of the loop.
        if (ends === 1)
          setImmediate(() => setImmediate(() => resolve({ text: `${Buffer.concat(decoded)}`, fault, ends })))
      },
    )
    for (const piece of pieces) decoder.write(piece)
    decoder.end()
  })
}

const plain = Buffer.from('data: {"text": "Gemini, Gemini, Gemini, é 東京"}\r\n\r\n'.repeat(200))
const packed: [string, Buffer][] = [
  ['gzip', zlib.gzipSync(plain)],
  ['x-gzip', zlib.gzipSync(plain)],
  [' GZIP ', zlib.gzipSync(plain)],
  ['deflate', zlib.deflateSync(plain)],
  ['deflate', zlib.deflateRawSync(plain)],
  ['br', zlib.brotliCompressSync(plain)],
  ['zstd', zlib.zstdCompressSync(plain)],
]

t.test('every encoding is undone, in one piece and in many', async (t) => {
  for (const [encoding, bytes] of packed) {
    const expected = { text: plain.toString(), fault: undefined, ends: 1 }
    t.same(await decode(encoding, [bytes]), expected, encoding)
    t.same(await decode(encoding, cut(bytes, [1, 2, 10, bytes.length - 3])), expected, `${encoding} cut`)
    t.same(await decode(encoding, cut(bytes, Array.from(bytes.keys()))), expected, `${encoding} byte by byte`)
  }
})

t.test('a body that breaks off gives what there is of it', async (t) => {
  const long = Buffer.from(Array.from({ length: 4000 }, (_, index) => `${index * 7919} `).join(''))
  for (const [encoding, bytes] of [
    ['gzip', zlib.gzipSync(long)],
    ['br', zlib.brotliCompressSync(long)],
    ['zstd', zlib.zstdCompressSync(long)],
  ] as const) {
    const half = bytes.subarray(0, bytes.length >> 1)
    for (const pieces of [[half], cut(half, [1000])]) {
      const { text, fault, ends } = await decode(encoding, pieces)
      t.equal(fault, 'truncated', encoding)
      t.equal(ends, 1)
      t.ok(long.toString().startsWith(text))
    }
  }
  const { text } = await decode('gzip', [zlib.gzipSync(long).subarray(0, 4000)])
  t.ok(text.length > 1000, 'gzip gives all it has')
})

t.test('what cannot be read is a fault and nothing else', async (t) => {
  const junk = Buffer.from('this is not compressed at all, whatever the header says')
  for (const encoding of ['gzip', 'deflate', 'br', 'zstd', 'compress', 'gzip, br']) {
    for (const pieces of [[junk], cut(junk, [5, 20])]) {
      const { fault, ends } = await decode(encoding, pieces)
      t.ok(fault === 'encoding' || fault === 'truncated', `${encoding}: ${fault}`)
      t.equal(ends, 1)
    }
  }
  t.same(await decode('gzip', []), { text: '', fault: undefined, ends: 1 })
})

t.test('a bomb stops at the bound', async (t) => {
  const bomb = Buffer.alloc(50_000_000)
  for (const [encoding, bytes] of [
    ['gzip', zlib.gzipSync(bomb)],
    ['br', zlib.brotliCompressSync(bomb)],
  ] as const) {
    for (const pieces of [[bytes], cut(bytes, [10, 20])]) {
      const { text, fault } = await decode(encoding, pieces, 100_000)
      t.equal(fault, 'oversized', encoding)
      t.ok(text.length <= 100_000)
    }
  }
})

t.test('an answer that cannot be decoded is unreadable', async (t) => {
  const options = { dialect: 'native', framing: 'sse', contentEncoding: 'gzip' } as const
  t.match(await observe(options, [Buffer.from('junk')]), { readable: false, unreadable: 'encoding', complete: false })
  t.match(await observe({ ...options, maxDecodedBytes: 500 }, [zlib.gzipSync(plain)]), { unreadable: 'oversized' })
})

t.test('a compressed stream that breaks off keeps the events that came', async (t) => {
  const stream = sse([
    chunk('a', { promptTokenCount: 8, candidatesTokenCount: 5, totalTokenCount: 13 }),
    chunk('b', { promptTokenCount: 8, candidatesTokenCount: 9, totalTokenCount: 17 }, 'STOP'),
  ])
  const flushed = zlib.gzipSync(stream, { finishFlush: zlib.constants.Z_SYNC_FLUSH })
  const options = { dialect: 'native', framing: 'sse', contentEncoding: 'gzip' } as const
  t.match(await observe(options, [flushed], false), { events: 2, readable: true, complete: false })
  t.match(await observe(options, [flushed], true), { events: 2, complete: false })
  t.match(await observe(options, [zlib.gzipSync(stream)], true), { events: 2, complete: true })
})

t.test('no encoding is no encoding', async (t) => {
  for (const name of [undefined, '', 'identity', ' Identity ']) t.ok(isIdentity(name))
  t.notOk(isIdentity('gzip'))
})
