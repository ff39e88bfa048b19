import fc from 'fast-check'
import t from 'tap'
import { decodeEntry, encodeEntry, peekHeader } from '../src/cache/entry.ts'
import { createRecorder } from '../src/cache/recorder.ts'
import { replay } from '../src/cache/replay.ts'
import { entryOf } from './cache-entries.ts'

t.test('an entry comes back as it was, whatever it holds', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 5000 }),
      fc.string(),
      fc.array(fc.nat(), { maxLength: 8 }),
      fc.boolean(),
      async (body, tag, numbers, compress) => {
        const chunks = numbers.length === 0 ? undefined : numbers
        const entry = entryOf('k1', { body: Buffer.from(body), tags: [tag], chunks })
        const back = decodeEntry(await encodeEntry(entry, compress), 'k1')
        if (typeof back === 'string') throw new Error(back)
        return (
          back.body.equals(entry.body) &&
          JSON.stringify(back.header) === JSON.stringify(entry.header) &&
          JSON.stringify(back.chunks ?? null) === JSON.stringify(entry.chunks ?? null)
        )
      },
    ),
    { numRuns: 200 },
  )
  t.pass('200 entries')
})

t.test('compression is used where it saves, also off the main thread, and never where it does not', async (t) => {
  const text = entryOf('k', { body: 'All work and no play. '.repeat(200) })
  const large = entryOf('k', { body: 'All work and no play. '.repeat(20_000) })
  const noise = entryOf('k', { body: Buffer.from(Array.from({ length: 4000 }, (_, at) => (at * at * 7919) % 251)) })
  t.ok((await encodeEntry(text)).length < text.body.length / 2)
  t.ok((await encodeEntry(large)).length < large.body.length / 10)
  t.same(decodeEntry(await encodeEntry(large), 'k'), large)
  t.same(decodeEntry(await encodeEntry(noise), 'k'), noise)
  t.ok((await encodeEntry(entryOf('k', { body: 'short' }))).includes('short'))
})

t.test('any changed, missing or added byte is noticed', async (t) => {
  const stored = await encodeEntry(entryOf('k1', { body: 'x'.repeat(2000), chunks: [10, 0, 2000, 5] }))
  for (let at = 0; at < stored.length; at++) {
    const bad = Buffer.from(stored)
    bad[at]! ^= 1 << (at % 8)
    t.type(decodeEntry(bad, 'k1'), 'string', `byte ${at}`)
  }
  for (let length = 0; length < stored.length; length++) {
    if (typeof decodeEntry(stored.subarray(0, length), 'k1') !== 'string') t.fail(`cut at ${length}`)
  }
  t.type(decodeEntry(Buffer.concat([stored, Buffer.from([0])]), 'k1'), 'string')
})

t.test('foreign values are told apart from broken ones', async (t) => {
  const stored = await encodeEntry(entryOf('k1'))
  t.equal(decodeEntry(stored, 'k2'), 'foreign')
  t.equal(decodeEntry(Buffer.from('{"value":"somebody else put this here, and it is long enough"}'), 'k1'), 'magic')
  t.equal(decodeEntry(Buffer.alloc(0), 'k1'), 'truncated')
  t.equal(peekHeader(Buffer.from('no entry, but longer than a header')), undefined)
  t.match(peekHeader(stored.subarray(0, stored.length - 20)), { key: 'k1', tenant: 't1' })
})

t.test('a recorder keeps bytes, boundaries and times in a buffer of its own', async (t) => {
  let now = 100
  const recorder = createRecorder({ maxBytes: 100, now: () => now })
  now = 150
  recorder.chunk(Buffer.from('one '))
  now = 180
  recorder.chunk(Buffer.from('two'))
  recorder.chunk(new Uint8Array())
  now = 190
  const recording = recorder.finish()
  t.equal(recording?.body.toString(), 'one two')
  t.equal(recording?.body.buffer.byteLength, 7)
  t.same([...(recording?.chunks ?? [])], [4, 0, 7, 30])
  t.equal(recording?.latencyMs, 90)
})

t.test('a recorder that outgrows its bound holds nothing', async (t) => {
  const recorder = createRecorder({ maxBytes: 10, now: () => 0 })
  recorder.chunk(Buffer.alloc(8))
  recorder.chunk(Buffer.alloc(8))
  t.ok(recorder.overflowed())
  t.equal(recorder.finish(), undefined)
})

t.test('a replay gives the recorded chunks, one by one', async (t) => {
  const entry = entryOf('k', { body: 'one two three', chunks: [4, 0, 8, 5, 13, 9] })
  const pieces: string[] = []
  for await (const piece of replay(entry)) pieces.push(piece.toString())
  t.same(pieces, ['one ', 'two ', 'three'])
  const paced: string[] = []
  for await (const piece of replay(entry, 1)) paced.push(piece.toString())
  t.same(paced, pieces)
})

t.test('a paced replay ends when the client leaves', async (t) => {
  const entry = entryOf('k', { body: 'ab', chunks: [1, 0, 2, 60_000] })
  const left = new AbortController()
  const play = replay(entry, 1, left.signal)
  t.equal((await play.next()).value?.toString(), 'a')
  const next = play.next()
  left.abort()
  await t.rejects(next, { name: 'AbortError' })
})
