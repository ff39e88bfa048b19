import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { decodeEntry, encodeEntry } from '../src/cache/entry.ts'
import { createRedisStore } from '../src/cache/redis-store.ts'
import { createSqliteStore } from '../src/cache/sqlite-store.ts'
import { keyvOf, type Store } from '../src/cache/store.ts'
import { entryOf } from './cache-entries.ts'

const redisUrl = process.env.CASTOR_TEST_REDIS_URL

/** What any lower tier must do, whatever it is made of. */
async function contract(t: Test, open: (t: Test) => Store): Promise<void> {
  t.test('gives back what was set, byte for byte, and nothing else', async (t) => {
    const keyv = keyvOf(open(t).adapter)
    const stored = await encodeEntry(entryOf('k1', { body: Buffer.from([0, 255, 128, 10]) }))
    t.equal(await keyv.get('k1'), undefined)
    await keyv.set('k1', stored, 60_000)
    const value = (await keyv.get('k1')) ?? new Uint8Array()
    t.ok(stored.equals(value))
    t.match(decodeEntry(value, 'k1'), { header: { key: 'k1' } })
    await keyv.set('k1', await encodeEntry(entryOf('k1', { body: 'new' })), 60_000)
    t.match(decodeEntry((await keyv.get('k1')) ?? new Uint8Array(), 'k1'), { body: Buffer.from('new') })
    t.equal(await keyv.delete('k1'), true)
    t.equal(await keyv.delete('k1'), false)
    t.equal(await keyv.get('k1'), undefined)
  })

  t.test('takes many at once and forgets all on clear', async (t) => {
    const store = open(t)
    const keyv = keyvOf(store.adapter)
    const keys = Array.from({ length: 30 }, (_, at) => `key-${at}`)
    const rows = await Promise.all(
      keys.map(async (key) => ({ key, value: await encodeEntry(entryOf(key)), ttl: 60_000 })),
    )
    await keyv.setMany(rows)
    for (const key of keys) t.ok(await keyv.get(key))
    await keyv.clear()
    for (const key of keys) t.equal(await keyv.get(key), undefined)
  })

  t.test('keeps nothing past its time', async (t) => {
    const keyv = keyvOf(open(t).adapter)
    await keyv.set('k1', await encodeEntry(entryOf('k1')), 1)
    const until = performance.now() + 2000
    while ((await keyv.get('k1')) !== undefined && performance.now() < until) await new Promise(setImmediate)
    t.equal(await keyv.get('k1'), undefined)
  })

  t.test('refuses what is no entry', async (t) => {
    const keyv = keyvOf(open(t).adapter)
    await t.rejects(keyv.set('k1', 'a string' as unknown as Uint8Array, 1000))
  })

  t.test('purges a scope and tells all who ask', async (t) => {
    const store = open(t)
    const keyv = keyvOf(store.adapter)
    const headers = {
      a: { tenant: 't1', model: 'm1', tags: ['team=x', 'app=y'] },
      b: { tenant: 't2', model: 'm1', interaction: 'summary' },
      c: { tenant: 't3', model: 'm2', partition: 'p9' },
      d: { tenant: 't2', model: 'm1', generation: 1_000_000 },
    }
    for (const [key, header] of Object.entries(headers)) {
      await keyv.set(key, await encodeEntry(entryOf(key, header)), 60_000)
    }
    const left = async () => {
      const found = await Promise.all(Object.keys(headers).map(async (key) => ((await keyv.get(key)) ? key : '')))
      return found.join('')
    }
    const first = await store.raise({ kind: 'tag', value: 'team=x' }, 0)
    t.equal(await store.purge({ kind: 'tag', value: 'team=x' }, first), 1)
    t.equal(await left(), 'bcd')
    const second = await store.raise({ kind: 'tenant', value: 't2' }, 0)
    t.ok(second > first)
    t.equal(await store.purge({ kind: 'tenant', value: 't2' }, second), 1)
    t.equal(await left(), 'cd', 'an answer of after the purge stays')
    t.equal(await store.purge({ kind: 'partition', value: 'p9' }, second + 1), 1)
    t.equal(await store.raise({ kind: 'all' }, 100), 101, 'above what the replica knows')
    t.same(
      (await store.floors()).toSorted((one, two) => one.generation - two.generation),
      [
        { scope: { kind: 'tag', value: 'team=x' }, generation: first },
        { scope: { kind: 'tenant', value: 't2' }, generation: second },
        { scope: { kind: 'all' }, generation: 101 },
      ],
    )
  })

  t.test('a closed store is away, and closing twice is once', async (t) => {
    const store = open(t)
    const keyv = keyvOf(store.adapter)
    await store.close()
    await store.close()
    await t.rejects(keyv.get('k1'))
  })
}

t.test('SQLite', async (t) => {
  await contract(t, (t) => {
    const store = createSqliteStore({ path: join(t.testdir(), 'cache.db'), now: Date.now })
    t.teardown(store.close)
    return store
  })
})

t.test('Redis', { skip: redisUrl === undefined && 'REDIS_URL names no Redis' }, async (t) => {
  const opened: Store[] = []
  t.beforeEach(async (t) => {
    const store = createRedisStore({ url: redisUrl ?? '', namespace: `castor-test-${randomUUID()}` })
    opened.unshift(store)
    const until = performance.now() + 3000
    while (performance.now() < until) {
      const isReady = await store.floors().then(
        () => true,
        () => false,
      )
      if (isReady) break
      await new Promise(setImmediate)
    }
    t.teardown(async () => {
      await store.adapter.clear().catch(() => {})
      await store.close()
    })
  })
  await contract(t, () => opened[0] as Store)
})

t.test('SQLite keeps its answers over a restart and gives the best first', async (t) => {
  const path = join(t.testdir(), 'cache.db')
  const before = createSqliteStore({ path, now: () => 1_000_000 })
  for (let at = 1; at <= 250; at++) {
    const key = `key-${at}`
    await keyvOf(before.adapter).set(
      key,
      await encodeEntry(entryOf(key, { costUsd: at, body: 'x'.repeat(50) })),
      60_000,
    )
  }
  await before.close()
  const after = createSqliteStore({ path, now: () => 1_000_000 })
  t.teardown(after.close)
  t.match(await after.stats(), { entries: 250 })
  const keys: string[] = []
  for await (const { key } of after.best(210)) keys.push(key)
  t.equal(keys.length, 210)
  t.equal(keys[0], 'key-250')
  t.equal(new Set(keys).size, 210)
})

t.test('SQLite stays within its bounds, and cleanup removes what has expired', async (t) => {
  let now = 1_000_000
  const store = createSqliteStore({ path: join(t.testdir(), 'cache.db'), maxEntries: 300, now: () => now })
  t.teardown(store.close)
  const keyv = keyvOf(store.adapter)
  for (let from = 0; from < 600; from += 50) {
    const rows = Array.from({ length: 50 }, (_, at) => `key-${from + at}`)
    await keyv.setMany(
      await Promise.all(rows.map(async (key) => ({ key, value: await encodeEntry(entryOf(key)), ttl: 1000 + from }))),
    )
    const { entries = 0 } = await store.stats()
    t.ok(entries <= 300, `${entries} entries`)
  }
  const { entries = 0 } = await store.stats()
  now += 1450
  const removed = await store.cleanup()
  t.ok(removed > 0 && removed < entries)
  now += 10_000
  t.equal(await store.cleanup(), entries - removed)
  t.match(await store.stats(), { entries: 0, bytes: 0 })
})

t.test('a broken file is put aside, and the store goes on with a fresh one', async (t) => {
  const path = join(t.testdir({ 'cache.db': 'no database at all, '.repeat(500) }), 'cache.db')
  const moved: string[] = []
  const store = createSqliteStore({ path, now: Date.now, onQuarantine: (where) => moved.push(where) })
  t.teardown(store.close)
  const keyv = keyvOf(store.adapter)
  t.equal(await keyv.get('k1'), undefined)
  await keyv.set('k1', await encodeEntry(entryOf('k1')), 60_000)
  t.ok(await keyv.get('k1'))
  t.same(moved, [`${path}.broken`])
})

t.test('an answer used lately outlives one that was not', async (t) => {
  let now = 1_000_000
  const store = createSqliteStore({ path: join(t.testdir(), 'cache.db'), maxEntries: 150, now: () => now })
  t.teardown(store.close)
  const keyv = keyvOf(store.adapter)
  const put = async (key: string) => keyv.set(key, await encodeEntry(entryOf(key)), 1e12)
  await put('early-long-name')
  for (let at = 0; at < 120; at++) await put(`early-${at}`)
  now += 3_600_000
  await keyv.get('early-long-name')
  for (let at = 0; at < 120; at++) await put(`late-${at}`)
  t.ok(await keyv.get('early-long-name'))
  t.equal(await keyv.get('early-100'), undefined)
})
