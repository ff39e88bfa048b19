import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { encodeEntry } from '../src/cache/entry.ts'
import type { After } from '../src/cache/guard.ts'
import { createMemory } from '../src/cache/memory.ts'
import type { Floor } from '../src/cache/scope.ts'
import { createSqliteStore } from '../src/cache/sqlite-store.ts'
import { isWrapped, type Store } from '../src/cache/store.ts'
import { createTiers, type TiersOptions } from '../src/cache/tiers.ts'
import { openSqlite } from '../src/storage/sqlite.ts'
import { entryOf } from './cache-entries.ts'

/** Timers that run when the test says so. */
function timers() {
  const jobs = new Map<() => void, number>()
  const after: After = (ms, job) => {
    jobs.set(job, ms)
    return () => jobs.delete(job)
  }
  /** Runs those due within `ms`, and what follows from them. */
  async function run(ms: number): Promise<void> {
    for (const [job, due] of [...jobs]) {
      if (due > ms) continue
      jobs.delete(job)
      job()
    }
    for (let turn = 0; turn < 30; turn++) await new Promise(setImmediate)
  }
  return { after, run, waiting: () => [...jobs.values()].sort((one, two) => one - two) }
}

/** A store in a Map that can be made to fail or to hang. */
function fakeStore() {
  const values = new Map<string, Uint8Array>()
  const floors: Floor[] = []
  const state = { mode: 'well' as 'well' | 'failing' | 'hanging' | 'full', calls: 0, writes: 0 }
  async function gate(): Promise<void> {
    state.calls++
    if (state.mode === 'failing') throw new Error('ECONNREFUSED')
    if (state.mode === 'hanging') await new Promise(() => {})
  }
  const store: Store = {
    name: 'fake',
    adapter: {
      opts: { dialect: 'fake', url: '' },
      on: () => store.adapter,
      async get<Value>(key: string) {
        await gate()
        const value = values.get(key)
        return (value === undefined ? undefined : { value }) as Value | undefined
      },
      async set(key: string, value: unknown) {
        await gate()
        if (isWrapped(value)) values.set(key, value.value)
      },
      async setMany(rows) {
        await gate()
        state.writes++
        if (state.mode === 'full') throw new Error('SQLITE_FULL')
        for (const { key, value } of rows) if (isWrapped(value)) values.set(key, value.value)
      },
      async delete(key: string) {
        await gate()
        return values.delete(key)
      },
      async clear() {
        values.clear()
      },
    },
    async floors() {
      await gate()
      return [...floors]
    },
    async raise(scope, atLeast) {
      await gate()
      const generation = Math.max(atLeast, ...floors.map((floor) => floor.generation)) + 1
      floors.push({ scope, generation })
      return generation
    },
    purge: async () => 0,
    cleanup: async () => 0,
    async *best() {
      for (const [key, value] of values) yield { key, value }
    },
    stats: async () => ({ entries: values.size, bytes: 0 }),
    close: async () => {},
  }
  return { store, values, state, floors }
}

function setup(more: Partial<TiersOptions> = {}) {
  const clock = { now: 1_000_000 }
  const time = timers()
  const fake = fakeStore()
  const now = () => clock.now
  const states: string[] = []
  const tiers = createTiers({
    memory: createMemory({ maxEntries: 100, maxBytes: 1e7, now }),
    store: fake.store,
    now,
    after: time.after,
    onStoreState: (state) => states.push(state),
    ...more,
  })
  /** Another replica over the same store. */
  const replica = () =>
    createTiers({
      memory: createMemory({ maxEntries: 100, maxBytes: 1e7, now }),
      store: fake.store,
      now,
      after: time.after,
    })
  return { clock, time, tiers, replica, states, ...fake }
}

t.test('an answer is at hand at once, in the store soon, and on the next replica then', async (t) => {
  const { tiers, time, values, replica } = setup()
  t.ok(tiers.put(entryOf('k1')))
  t.equal(tiers.peek('k1')?.body.toString(), 'an answer')
  t.equal(values.size, 0)
  await time.run(50)
  t.equal(values.size, 1)
  const other = replica()
  t.equal(other.peek('k1'), undefined)
  t.match(await other.find('k1'), { tier: 'fake', entry: { header: { key: 'k1' } } })
  t.match(await other.find('k1'), { tier: 'memory' })
  t.equal(await other.find('k2'), undefined)
})

t.test('other framings are looked up together and are no misses', async (t) => {
  const { tiers, values, time, state } = setup()
  tiers.put(entryOf('here'))
  values.set('there', await encodeEntry(entryOf('there')))
  const found = await tiers.findOthers(['nowhere', 'here', 'there'])
  t.same(
    found.map((each) => each?.entry.header.key),
    [undefined, 'here', 'there'],
  )
  t.match((await tiers.stats()).memory, { misses: 0, hits: 0 })
  state.mode = 'hanging'
  const asked = tiers.findOthers(['a', 'b'])
  await time.run(100)
  t.same(await asked, [undefined, undefined])
})

t.test('many answers are written together', async (t) => {
  const { tiers, time, state, values } = setup()
  for (let at = 0; at < 60; at++) tiers.put(entryOf(`key-${at}`))
  tiers.put(entryOf('key-1', { body: 'replaced' }))
  await time.run(50)
  t.equal(values.size, 60)
  t.equal(state.writes, 3)
})

t.test('equal look-ups in flight ask the store once', async (t) => {
  const { tiers, state, values } = setup()
  values.set('k1', await encodeEntry(entryOf('k1')))
  const found = await Promise.all(Array.from({ length: 10 }, () => tiers.fetch('k1')))
  t.equal(found.filter(Boolean).length, 10)
  t.equal(state.calls, 1)
})

t.test('a store that hangs is a miss after the deadline, then left alone, then found again', async (t) => {
  const { tiers, time, state, states, values } = setup()
  values.set('k1', await encodeEntry(entryOf('k1')))
  state.mode = 'hanging'
  for (let at = 0; at < 3; at++) {
    const asked = tiers.find(`k${at}`)
    t.same(time.waiting().slice(0, 1), [100])
    await time.run(100)
    t.equal(await asked, undefined)
  }
  t.same(states, ['away'])
  const calls = state.calls
  t.equal(await tiers.find('k1'), undefined, 'answered without asking')
  t.equal(state.calls, calls)

  t.same(time.waiting(), [250], 'the retry')
  await time.run(250)
  await time.run(1000)
  t.same(states, ['away'], 'still dead: no second word')
  t.same(time.waiting(), [500], 'and a longer wait')
  state.mode = 'well'
  await time.run(500)
  t.same(states, ['away', 'back'])
  t.match(await tiers.find('k1'), { tier: 'fake' })
})

t.test('answers given while the store was away are written when it is back', async (t) => {
  const { tiers, time, state, states, values } = setup({ queue: { maxEntries: 5, maxBytes: 1e7 } })
  state.mode = 'failing'
  for (let at = 0; at < 3; at++) await tiers.find(`m${at}`)
  for (let at = 0; at < 8; at++) tiers.put(entryOf(`key-${at}`))
  await time.run(100)
  t.match(await tiers.stats(), { queue: { entries: 5, dropped: 3 }, store: { away: true } })
  state.mode = 'well'
  await time.run(250)
  await time.run(50)
  t.same(states, ['away', 'back'])
  t.same([...values.keys()], ['key-3', 'key-4', 'key-5', 'key-6', 'key-7'])
  t.match(await tiers.stats(), { queue: { entries: 0 }, store: { written: 5, away: false } })
})

t.test('a store that takes no more still answers, and is not asked to again and again', async (t) => {
  const { tiers, time, state, states, values } = setup()
  values.set('k1', await encodeEntry(entryOf('k1')))
  state.mode = 'full'
  tiers.put(entryOf('k2'))
  for (let at = 0; at < 10; at++) await time.run(50)
  t.equal(state.writes, 3)
  t.same(states, ['away'])
  t.match(await tiers.find('k1'), { tier: 'fake' })
  t.match(await tiers.stats(), { store: { away: false, full: true } })
  state.mode = 'well'
  await time.run(250)
  t.same(states, ['away', 'back'])
  t.ok(values.has('k2'))
})

t.test('a damaged or foreign value is dropped, counted, and never served', async (t) => {
  const damage: string[] = []
  const { tiers, values } = setup({ onDamage: (kind, key) => damage.push(`${key} ${kind}`) })
  const whole = await encodeEntry(entryOf('k1'))
  values.set('k1', whole.subarray(0, whole.length - 1))
  values.set('k2', whole)
  values.set('k3', Buffer.from('something else entirely, put here by somebody'))
  for (const key of ['k1', 'k2', 'k3']) t.equal(await tiers.find(key), undefined)
  t.same(damage, ['k1 checksum', 'k2 foreign', 'k3 magic'])
  t.match((await tiers.stats()).damaged, { checksum: 1, foreign: 1, magic: 1 })
  t.equal(values.size, 0)
})

t.test('an expired answer stays for stale-if-error, and goes after that', async (t) => {
  const { tiers, clock } = setup()
  tiers.put(entryOf('k1'))
  clock.now += 3_600_001
  t.ok(tiers.peek('k1'), 'stale; the caller judges its age')
  clock.now += 3_600_000
  t.equal(tiers.peek('k1'), undefined)
  t.notOk(tiers.put(entryOf('k1')), 'nor is it taken again')
})

t.test('a purge holds at once here, soon on other replicas, and for answers still in flight', async (t) => {
  const { tiers, time, replica, values } = setup()
  const other = replica()
  await other.open()
  const began = tiers.generation()
  tiers.put(entryOf('k1', { tenant: 'a' }))
  tiers.put(entryOf('k2', { tenant: 'b' }))
  await time.run(50)
  await other.find('k1')
  t.equal(await tiers.purge({ kind: 'tenant', value: 'a' }), 1)
  t.equal(tiers.peek('k1'), undefined)
  t.ok(values.has('k1'), 'even while its bytes are still there')
  t.equal(await tiers.find('k1'), undefined)
  t.notOk(tiers.put(entryOf('k3', { tenant: 'a', generation: began })), 'asked before the purge')
  t.ok(tiers.put(entryOf('k4', { tenant: 'a', generation: tiers.generation() })))
  t.ok(tiers.peek('k2'))

  t.ok(other.peek('k1'))
  await time.run(1000)
  t.equal(other.peek('k1'), undefined)
  t.ok(await other.find('k2'))
})

t.test('each kind of scope covers what it names', async (t) => {
  const mine = { tenant: 't', partition: 'p', model: 'm', interaction: 'i', tags: ['a=b'] }
  for (const [kind, value] of Object.entries({
    tenant: 't',
    partition: 'p',
    model: 'm',
    interaction: 'i',
    tag: 'a=b',
    key: 'k1',
  })) {
    const { tiers } = setup()
    tiers.put(entryOf('k1', mine))
    tiers.put(entryOf('k2', {}))
    // The names above are the scope's own.
    await tiers.purge({ kind: kind as 'tenant', value })
    t.equal(tiers.peek('k1'), undefined, kind)
    t.ok(tiers.peek('k2'), `${kind} leaves others`)
    await tiers.purge({ kind: 'all' })
    t.equal(tiers.peek('k2'), undefined)
  }
})

t.test('a purge made while the store was away is told to it afterwards, and one it lost is told again', async (t) => {
  const { tiers, time, state, floors, values } = setup()
  values.set('k1', await encodeEntry(entryOf('k1')))
  await tiers.open()
  state.mode = 'failing'
  for (let at = 0; at < 3; at++) await tiers.find('x')
  await tiers.purge({ kind: 'model', value: 'gemini-2.5-flash' })
  state.mode = 'well'
  await time.run(250)
  t.match(floors, [{ scope: { kind: 'model', value: 'gemini-2.5-flash' } }])
  t.equal(await tiers.find('k1'), undefined)
  floors.length = 0
  await time.run(1000)
  t.match(floors, [{ scope: { kind: 'model' } }])
})

t.test('a warm start takes the best of the store into memory', async (t) => {
  const { tiers, values } = setup()
  values.set('k1', await encodeEntry(entryOf('k1')))
  values.set('bad', Buffer.from('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'))
  values.set('old', await encodeEntry(entryOf('old', { staleUntil: 5 })))
  t.equal(await tiers.open(10), 1)
  t.ok(tiers.peek('k1'))
  await tiers.close()
})

t.test('closing writes what waits, and does not wait for the dead', async (t) => {
  const { tiers, values } = setup()
  tiers.put(entryOf('k1'))
  await tiers.close()
  t.equal(values.size, 1)
  t.notOk(tiers.put(entryOf('k2')))
  const dead = setup()
  dead.tiers.put(entryOf('k1'))
  dead.state.mode = 'hanging'
  const closing = dead.tiers.close(7)
  await dead.time.run(7)
  await closing
  t.pass('closed')
})

t.test('without a store, memory is all there is', async (t) => {
  const { tiers } = setup({ store: undefined })
  tiers.put(entryOf('k1'))
  t.match(await tiers.find('k1'), { tier: 'memory' })
  t.equal(await tiers.find('k2'), undefined)
  t.equal(await tiers.open(10), 0)
  t.equal(await tiers.purge({ kind: 'all' }), 1)
  t.match(await tiers.stats(), { store: undefined })
  await tiers.close()
})

function overSqlite(t: Test, path: string) {
  const store = createSqliteStore({ path, now: Date.now })
  const tiers = createTiers({
    memory: createMemory({ maxEntries: 10, maxBytes: 1e7, now: Date.now }),
    store,
    now: Date.now,
  })
  t.teardown(() => tiers.close())
  return tiers
}

const lasting = { createdAt: Date.now(), staleUntil: Date.now() + 1e7 }

t.test('over SQLite, answers and purges survive a restart', async (t) => {
  const path = join(t.testdir(), 'cache.db')
  const before = overSqlite(t, path)
  await before.open()
  for (const key of ['k1', 'k2']) before.put(entryOf(key, { ...lasting, model: key }))
  await before.flush()
  await before.purge({ kind: 'model', value: 'k2' })
  await before.close()
  const after = overSqlite(t, path)
  t.equal(await after.open(10), 1)
  t.ok(after.peek('k1'))
  t.equal(await after.find('k2'), undefined)
  t.ok(after.generation() > 0)
})

t.test('a full disk stops the writing, not the reading', async (t) => {
  const path = join(t.testdir(), 'cache.db')
  const tiers = overSqlite(t, path)
  tiers.put(entryOf('k1', lasting))
  await tiers.flush()
  // The file that the store has open, as a disk without room for another page.
  const file = openSqlite({ path, migrations: ['SELECT 1'], check: false })
  t.teardown(file.close)
  file.db.exec('PRAGMA max_page_count = 1')
  const large = randomBytes(2_000_000)
  for (let at = 0; at < 3; at++) {
    tiers.put(entryOf('k2', { ...lasting, body: large }))
    await tiers.flush()
  }
  t.match(await tiers.stats(), { store: { full: true, away: false, written: 1, entries: 1 } })
  t.ok(await tiers.fetch('k1'))
  t.equal(await tiers.fetch('k2'), undefined)
})

t.test('a store that cannot be opened makes misses, not failures', async (t) => {
  const dir = t.testdir({ file: 'not a directory' })
  const tiers = overSqlite(t, join(dir, 'file', 'cache.db'))
  t.equal(await tiers.open(10), 0)
  t.ok(tiers.put(entryOf('k1', lasting)))
  await tiers.flush()
  t.ok(tiers.peek('k1'))
  t.equal(await tiers.find('k2'), undefined)
  t.equal(await tiers.purge({ kind: 'all' }), 1)
  t.equal(await tiers.cleanup(), 0)
})
