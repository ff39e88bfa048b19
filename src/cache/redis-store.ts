/**
 * The answers in Redis, shared by replicas, through @keyv/redis. Its client is made here, because its defaults wait: a
 * command to a dead Redis must fail at once, and reconnecting goes on in the background (facts: keyv's get hung for more
 * than six seconds).
 */
import { createClient, default as KeyvRedis, type RedisClientConnectionType } from '@keyv/redis'
import { peekHeader } from './entry.ts'
import { covers, MAX_FLOORS, parseScope, type Scope, scopeText } from './scope.ts'
import { type Adapter, isWrapped, type Store } from './store.ts'

export type RedisStoreOptions = {
  url: string
  /** Leads every key, so that a Redis can be shared with others. */
  namespace?: string
  /** A command that takes longer fails, ms. */
  commandTimeoutMs?: number
}

/** Type number of a bulk string in RESP; mapped to Buffer, since entries are bytes. */
const BULK_STRING = 36

/** What a farewell may take. */
const CLOSE_MS = 1000

/** Keys looked at in one step of a scan. */
const STEP = 200

/** Enough for magic, lengths and header; the rest of a value stays where it is. */
const HEADER_BYTES = 16 * 1024

/** Takes the next generation above ARGV[2] and above all known ones, and makes it the floor of ARGV[1]. */
const RAISE = `
local next = math.max(tonumber(redis.call('HGET', KEYS[1], '') or '0'), tonumber(ARGV[2])) + 1
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[3]) then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'all', next)
else
  redis.call('HSET', KEYS[1], ARGV[1], next)
end
redis.call('HSET', KEYS[1], '', next)
return next`

export function createRedisStore(options: RedisStoreOptions): Store {
  const namespace = options.namespace ?? 'castor:cache'
  const floorsKey = `${namespace}-floors`
  const client = createClient({
    url: options.url,
    disableOfflineQueue: true,
    socket: { connectTimeout: 1000, reconnectStrategy: (tries) => Math.min(50 * 2 ** Math.min(tries, 6), 3000) },
    commandOptions: { timeout: options.commandTimeoutMs ?? 1000 },
  })
  // Without a listener a lost connection would end the process; the guard reports what matters, once.
  client.on('error', () => {})
  const bytes = client.withTypeMapping({ [BULK_STRING]: Buffer })
  // The mapping is part of the client's type, and @keyv/redis names only the unmapped one.
  const connection = bytes as unknown as RedisClientConnectionType
  const redis = new KeyvRedis<Buffer>(connection, { namespace, throwOnErrors: true, throwOnConnectError: false })
  redis.on('error', () => {})
  const connecting = client.connect().catch(() => {})
  let closed = false

  /** A client that is still connecting is away, not slow. */
  function assertReady(): void {
    if (!client.isReady) throw new Error('Redis is not connected')
  }

  const adapter: Adapter = {
    opts: { dialect: 'redis', url: 'redis:' },
    namespace: undefined,
    on: () => adapter,
    async get<Value>(key: string) {
      assertReady()
      const value = await redis.get(key)
      // keyv's types know the value only as the caller's type parameter.
      return (value === undefined ? undefined : { value }) as Value | undefined
    },
    async set(key: string, value: unknown, ttl?: number) {
      await adapter.setMany([{ key, value, ttl }])
      return true
    },
    async setMany(entries: Array<{ key: string; value: unknown; ttl?: number }>) {
      assertReady()
      await redis.setMany(
        entries.map(({ key, value, ttl }) => ({ key, value: bytesOf(value), ttl: ttl && Math.ceil(ttl) })),
      )
    },
    async delete(key: string) {
      assertReady()
      return await redis.delete(key)
    },
    async clear() {
      assertReady()
      await redis.clear()
    },
    async disconnect() {
      await close()
    },
  }

  async function floors() {
    assertReady()
    const all = await client.hGetAll(floorsKey)
    return Object.entries(all).flatMap(([text, generation]) => {
      const scope = parseScope(text)
      return scope === undefined ? [] : [{ scope, generation: Number(generation) }]
    })
  }

  async function raise(scope: Scope, atLeast: number): Promise<number> {
    assertReady()
    const next = await client.eval(RAISE, {
      keys: [floorsKey],
      arguments: [scopeText(scope), String(atLeast), String(MAX_FLOORS)],
    })
    return Number(next)
  }

  async function purge(scope: Scope, generation: number): Promise<number> {
    let removed = 0
    for await (const { name, header } of heads()) {
      if (header === undefined || header.generation >= generation || !covers(scope, header)) continue
      removed += await client.unlink(name)
    }
    return removed
  }

  /** Every key of ours with its header, in steps that let other clients through. */
  async function* heads() {
    assertReady()
    for await (const names of client.scanIterator({ MATCH: `${escapeGlob(namespace)}::*`, COUNT: STEP })) {
      const starts = await Promise.all(names.map((name) => bytes.getRange(name, 0, HEADER_BYTES)))
      for (const [index, name] of names.entries()) {
        const start = starts[index]
        yield { name, header: start ? peekHeader(start) : undefined }
      }
    }
  }

  async function close(): Promise<void> {
    if (closed) return
    closed = true
    // A graceful close waits for replies, which a dead server will not give.
    const giveUp = setTimeout(() => client.isOpen && client.destroy(), CLOSE_MS)
    if (client.isReady) await client.close().catch(() => {})
    clearTimeout(giveUp)
    if (client.isOpen) client.destroy()
    await connecting
  }

  return {
    name: 'redis',
    adapter,
    floors,
    raise,
    purge,
    // Redis expires by itself, and its maxmemory bounds it.
    cleanup: async () => 0,
    // Any replica's look-up brings an answer over; reading all of a shared store at each start would not scale.
    async *best() {},
    stats: async () => ({ entries: undefined, bytes: undefined }),
    close,
  }
}

function bytesOf(value: unknown): Buffer {
  if (!isWrapped(value)) throw new TypeError('the cache store takes encoded entries only')
  const { buffer, byteOffset, byteLength } = value.value
  return Buffer.from(buffer, byteOffset, byteLength)
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, '\\$&')
}
