// DESIGN §8.5: a store that fails makes the gateway plainer, not unavailable.
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { startEmulator } from '../src/emulator/emulator.ts'
import { ask, eventually } from './cache-ask.ts'
import { type Closing, gateway, gatewayTo } from './helper.ts'

const redisUrl = process.env.CASTOR_TEST_REDIS_URL
const withRedis = { skip: redisUrl === undefined && 'CASTOR_TEST_REDIS_URL names no Redis' }
/** Of the deadline of 100 ms, on a busy machine. */
const soonMs = 1500

async function partHealth(url: string): Promise<{ status: string; store: string }> {
  const response = await fetch(`${url}/api/ai-engine/optimization/service/health/`)
  const { parts } = (await response.json()) as { parts: { cache: { status: string; store: string } } }
  return parts.cache
}

type Checks = Pick<typeof t, 'equal' | 'match' | 'ok'>

/** Calls go through, memory answers, and neither waits for the store. */
async function goesOn(t: Checks, url: string, count = 8): Promise<void> {
  for (let index = 0; index < count; index++) {
    const startedAt = performance.now()
    t.equal((await ask(url, `still ${index}`)).status, 200)
    t.match((await ask(url, `still ${index}`)).cache, /hit/)
    const ms = performance.now() - startedAt
    t.ok(ms < soonMs, `two calls in ${Math.round(ms)} ms`)
  }
}

async function emulated(t: Closing): Promise<string> {
  const emulator = await startEmulator()
  t.teardown(() => emulator.close())
  return emulator.url
}

const sqliteIn = (dir: string) => `cache: { mode: "on", store: sqlite }\ndataDir: ${JSON.stringify(dir)}`

t.test('a file that cannot be opened', async (t) => {
  const dir = t.testdir()
  mkdirSync(join(dir, 'cache.db'))
  const { url } = await gatewayTo(t, await emulated(t), sqliteIn(dir))
  await goesOn(t, url)
  await eventually(async () => (await partHealth(url)).status === 'degraded')
})

t.test('a file of something else is put aside', async (t) => {
  const dir = t.testdir()
  writeFileSync(join(dir, 'cache.db'), Buffer.alloc(100_000, 'no database at all '))
  const { url, log } = await gatewayTo(t, await emulated(t), sqliteIn(dir))
  await goesOn(t, url)
  t.match(await partHealth(url), { status: 'ok', store: 'sqlite' })
  t.ok(log.some(({ msg }) => msg === 'a broken cache file was put aside'))
})

t.test('rotten entries are dropped, counted, told once, and asked again', async (t) => {
  const dir = t.testdir()
  const upstream = await emulated(t)
  const before = await gatewayTo(t, upstream, sqliteIn(dir))
  const texts = Array.from({ length: 20 }, (_, index) => `x${index}`)
  const answers = await Promise.all(texts.map((text) => ask(before.url, text)))
  await before.app.castor.cacheHolder.current?.tiers.flush()
  await before.app.close()
  rot(join(dir, 'cache.db'))
  const after = await gatewayTo(t, upstream, sqliteIn(dir))
  await ask(after.url, 'make the key known')
  for (const [index, text] of texts.entries()) {
    const { status, body, cache } = await ask(after.url, text)
    t.equal(status, 200)
    t.match(cache, /fwd=miss/)
    t.equal(textOf(body), textOf(answers[index]?.body ?? ''))
  }
  const stats = await after.app.castor.cacheHolder.current?.tiers.stats()
  t.equal(
    Object.values(stats?.damaged ?? {}).reduce((sum, count) => sum + count, 0),
    20,
  )
  t.equal(after.log.filter(({ msg }) => msg === 'damaged cache entries were dropped').length, 1)
})

t.test('a file that another process has locked', async (t) => {
  const dir = t.testdir()
  const { url, app } = await gatewayTo(t, await emulated(t), sqliteIn(dir))
  await ask(url, 'first')
  await app.castor.cacheHolder.current?.tiers.flush()
  const other = new DatabaseSync(join(dir, 'cache.db'))
  other.exec('BEGIN EXCLUSIVE')
  await goesOn(t, url)
  other.exec('ROLLBACK')
  other.close()
  await eventually(async () => (await partHealth(url)).status === 'ok')
})

t.test('a Redis that is not there', async (t) => {
  const { url } = await gateway(t, 'cache: { mode: "on", store: redis }\nredis: { url: "redis://127.0.0.1:1" }')
  await goesOn(t, url)
  await eventually(async () => (await partHealth(url)).status === 'degraded')
})

const onRedis = `cache: { mode: "on", store: redis }\nredis: { url: "${redisUrl}" }\nauth: { secret: "${'k'.repeat(40)}" }`

t.test('two gateways on one Redis share answers and purges', withRedis, async (t) => {
  const emulator = await startEmulator()
  t.teardown(() => emulator.close())
  const one = await gatewayTo(t, emulator.url, onRedis)
  const two = await gatewayTo(t, emulator.url, onRedis)
  const text = `shared ${process.pid} ${Date.now()}`
  const first = await ask(one.url, text)
  await ask(two.url, `${text} warm`)
  await eventually(async () => {
    const other = await ask(two.url, text, { headers: { 'cache-control': 'only-if-cached' } })
    return other.status === 200 && other.body === first.body
  })
  await one.app.castor.cacheHolder.current?.tiers.purge({ kind: 'model', value: 'gemini-2.5-flash' })
  const here = await ask(one.url, text, { headers: { 'cache-control': 'only-if-cached' } })
  t.equal(here.status, 504, 'here at once')
  await eventually(async () => {
    return (await ask(two.url, text, { headers: { 'cache-control': 'only-if-cached' } })).status === 504
  })
})

t.test('a Redis that falls silent for a while', withRedis, async (t) => {
  const { url } = await gateway(t, onRedis)
  await ask(url, 'first')
  await redis('CLIENT PAUSE 2000 ALL')
  await goesOn(t, url)
  await eventually(async () => (await partHealth(url)).status === 'ok')
})

t.test('a Redis that forgets everything', withRedis, async (t) => {
  const { url } = await gateway(t, onRedis)
  await ask(url, `forget ${Date.now()}`)
  await redis('FLUSHALL')
  await goesOn(t, url)
  t.match(await partHealth(url), { status: 'ok', store: 'redis' })
})

/** Sends one inline command, and waits for the reply. */
async function redis(command: string): Promise<void> {
  const { hostname, port } = new URL(redisUrl ?? '')
  await new Promise<void>((resolve, reject) => {
    const socket = connect(Number(port || 6379), hostname, () => socket.write(`${command}\r\n`))
    socket.once('data', () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}

/** Turns one byte in the middle of every stored answer. */
function rot(file: string): void {
  const database = new DatabaseSync(file)
  const rows = database.prepare('SELECT key, value FROM answer').all()
  const write = database.prepare('UPDATE answer SET value = ? WHERE key = ?')
  for (const { key, value } of rows) {
    // The column is a blob.
    const bytes = Buffer.from(value as Uint8Array)
    const at = bytes.length - 40
    bytes[at] = (bytes[at] ?? 0) ^ 1
    write.run(bytes, key as string)
  }
  database.close()
}

function textOf(body: string): string {
  return [...body.matchAll(/"text": "([^"]*)"/g)].map(([, text]) => text).join('')
}
