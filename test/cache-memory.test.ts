import fc from 'fast-check'
import t from 'tap'
import { createHeap, type Ranked } from '../src/cache/heap.ts'
import { createMemory, type MemoryOptions } from '../src/cache/memory.ts'
import { createSketch, fingerprint } from '../src/cache/sketch.ts'
import { entryOf } from './cache-entries.ts'

function setup(options: Partial<MemoryOptions> = {}) {
  const clock = { now: 1_000_000 }
  const memory = createMemory({ maxEntries: 100, maxBytes: 10_000_000, now: () => clock.now, ...options })
  return { clock, memory }
}

t.test('keeps what was put and forgets what was removed', async (t) => {
  const { memory } = setup()
  t.ok(memory.set('a', entryOf('a', { body: 'one' })))
  t.equal(memory.get('a')?.body.toString(), 'one')
  memory.set('a', entryOf('a', { body: 'two' }))
  t.equal(memory.get('a')?.body.toString(), 'two')
  t.match(memory.stats(), { entries: 1, hits: 2 })
  t.ok(memory.delete('a'))
  t.notOk(memory.delete('a'))
  t.equal(memory.get('a'), undefined)
  t.match(memory.stats(), { entries: 0, bytes: 0, misses: 1 })
})

t.test('never exceeds its bounds', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ key: fc.nat(50), size: fc.nat(3000), cost: fc.nat(9), read: fc.boolean() }), {
        maxLength: 200,
      }),
      (steps) => {
        const { memory } = setup({ maxEntries: 10, maxBytes: 20_000 })
        for (const { key, size, cost, read } of steps) {
          const name = `key-${key}`
          if (read) memory.get(name)
          else memory.set(name, entryOf(name, { body: 'x'.repeat(size), costUsd: cost }))
          const { entries, bytes } = memory.stats()
          if (entries > 10 || bytes > 20_000 || bytes < 0) return false
        }
        return true
      },
    ),
    { numRuns: 100 },
  )
  const { memory } = setup({ maxBytes: 5000 })
  t.notOk(memory.set('large', entryOf('large', { body: 'x'.repeat(6000) })), 'nor takes what alone exceeds them')
})

t.test('the dear, the small and the often used outlive the others', async (t) => {
  const { memory } = setup({ maxEntries: 10 })
  memory.set('dear', entryOf('dear', { costUsd: 1 }))
  memory.set('used', entryOf('used'))
  for (let use = 0; use < 20; use++) memory.get('used')
  for (let at = 0; at < 100; at++) memory.set(`cheap-${at}`, entryOf(`cheap-${at}`))
  t.ok(memory.has('dear'))
  t.ok(memory.has('used'))

  const sized = setup({ maxEntries: 1000, maxBytes: 50_000 }).memory
  sized.set('small', entryOf('small'))
  for (let at = 0; at < 10; at++) sized.set(`large-${at}`, entryOf(`large-${at}`, { body: 'x'.repeat(9000) }))
  t.ok(sized.has('small'))
})

t.test('what was worth much once goes in the end', async (t) => {
  const { memory } = setup({ maxEntries: 10 })
  memory.set('old-star', entryOf('old-star', { costUsd: 0.005 }))
  for (let at = 0; at < 400; at++) {
    const key = `key-${at % 40}`
    if (memory.get(key) === undefined) memory.set(key, entryOf(key))
  }
  t.notOk(memory.has('old-star'))
})

t.test('a stale answer is given with its age, an answer past all use is not', async (t) => {
  const { memory, clock } = setup()
  memory.set('a', entryOf('a'))
  clock.now += 3_600_000
  t.ok(memory.get('a'))
  t.match(memory.stats(), { hits: 0, misses: 1 })
  clock.now += 3_600_000
  t.equal(memory.get('a'), undefined)
  t.match(memory.stats(), { entries: 0, expirations: 1 })
})

t.test('ghosts tell what twice the life or twice the size would have answered', async (t) => {
  const { memory, clock } = setup({ maxEntries: 2 })
  memory.set('a', entryOf('a', { costUsd: 0.5 }))
  clock.now += 3_600_000
  memory.get('a')
  memory.get('a')
  t.match(memory.stats().ghosts.ttl, { hits: 1, costUsd: 0.5 }, 'once for each answer')

  const small = setup({ maxEntries: 2 })
  for (const key of ['a', 'b', 'c']) small.memory.set(key, entryOf(key, { costUsd: 0.25 }))
  const gone = ['a', 'b', 'c'].filter((key) => !small.memory.has(key))
  for (const key of gone) small.memory.get(key)
  t.equal(gone.length, 1)
  t.match(small.memory.stats().ghosts.size, { hits: 1, costUsd: 0.25 })
})

t.test('a tenant over its share loses its own answers only', async (t) => {
  const { memory } = setup({ quota: (tenant) => (tenant === 'greedy' ? { maxEntries: 3 } : undefined) })
  memory.set('mine', entryOf('mine', { tenant: 'modest', costUsd: 0 }))
  for (let at = 0; at < 50; at++) memory.set(`g${at}`, entryOf(`g${at}`, { tenant: 'greedy', costUsd: 1 }))
  t.ok(memory.has('mine'))
  t.equal(memory.stats().entries, 4)
  const closed = setup({ quota: () => ({ maxEntries: 0 }) })
  t.notOk(closed.memory.set('a', entryOf('a')))
})

t.test('a sweep removes what it is told to, or what is past its use', async (t) => {
  const { memory, clock } = setup()
  memory.set('a', entryOf('a', { model: 'm1' }))
  memory.set('b', entryOf('b', { model: 'm2' }))
  t.equal(
    memory.sweep((entry) => entry.header.model === 'm1'),
    1,
  )
  t.notOk(memory.has('a'))
  clock.now += 7_200_000
  t.equal(memory.sweep(), 1)
  t.match(memory.stats(), { entries: 0, bytes: 0 })
})

t.test('a body cut from a larger buffer does not keep it alive', async (t) => {
  const { memory } = setup()
  const network = Buffer.alloc(1_000_000, 'x')
  memory.set('a', { ...entryOf('a'), body: network.subarray(10, 20) })
  t.equal(memory.get('a')?.body.buffer.byteLength, 10)
})

t.test('the heap gives the least, however its members move', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(100), fc.nat(30)), { maxLength: 100 }), (steps) => {
      const heap = createHeap<Ranked>()
      const members: Ranked[] = []
      for (const [what, rank, which] of steps) {
        const member = members[which % Math.max(1, members.length)]
        if (what < 2 || member === undefined) {
          const added = { rank, place: -1 }
          members.push(added)
          heap.push(added)
        } else if (what === 2) {
          member.rank = rank
          heap.settle(member)
        } else {
          heap.remove(member)
          members.splice(members.indexOf(member), 1)
        }
        const least = Math.min(...members.map((each) => each.rank))
        if (members.length !== heap.size() || (members.length > 0 && heap.least()?.rank !== least)) return false
      }
      return true
    }),
    { numRuns: 300 },
  )
  t.pass('300 histories')
})

t.test('the sketch never counts too few lately, and forgets what is long ago', async (t) => {
  const sketch = createSketch(100)
  const print = fingerprint('often')
  for (let at = 0; at < 40; at++) sketch.add(print)
  t.ok(sketch.estimate(print) >= 40)
  for (let at = 0; at < 5000; at++) sketch.add(fingerprint(`other ${at}`))
  t.ok(sketch.estimate(print) < 40)
})
