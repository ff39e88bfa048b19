/**
 * What remembering costs: a hit from memory, a look-up in SQLite as the file grows, and memory for each answer.
 *
 *   node bench/cache-store.ts [hit|sqlite|memory …] [--entries 1000000]
 */
import { spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Entry, type EntryHeader, encodeEntry } from '../src/cache/entry.ts'
import { createKeys } from '../src/cache/key.ts'
import { createMemory } from '../src/cache/memory.ts'
import { createSqliteStore } from '../src/cache/sqlite-store.ts'
import { keyvOf } from '../src/cache/store.ts'
import { createTiers } from '../src/cache/tiers.ts'
import { randomOf } from './eviction-trace.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { entries: { type: 'string', default: '1000000' } },
})

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

const keyOf = (at: number) => hash('sha256', `question ${at}`, 'base64url')

function entryOf(key: string, body: Buffer): Entry {
  const header: EntryHeader = {
    key,
    status: 200,
    contentType: 'application/json; charset=UTF-8',
    framing: 'unary',
    dialect: 'native',
    operation: 'generateContent',
    model: 'gemini-2.5-flash',
    headers: [['x-gemini-service-tier', 'standard']],
    createdAt: Date.now(),
    ttlMs: 3_600_000,
    staleUntil: Date.now() + 86_400_000,
    costUsd: 0.0008,
    latencyMs: 1200,
    usage: { promptTokens: 900, candidateTokens: 200, totalTokens: 1100 },
    partition: 'partition-of-one-caller',
    tenant: 'team-a',
    interaction: '',
    tags: [],
    generation: 0,
  }
  return { header, body, chunks: undefined }
}

/** Median and p99 of single calls, µs. */
async function timed(count: number, call: (at: number) => unknown): Promise<string> {
  const took: number[] = []
  for (let at = 0; at < count; at++) {
    const began = performance.now()
    await call(at)
    took.push((performance.now() - began) * 1000)
  }
  took.sort((one, other) => one - other)
  const at = (share: number) => (took[Math.floor(took.length * share)] ?? 0).toFixed(1).padStart(6)
  return `p50 ${at(0.5)} µs   p99 ${at(0.99)} µs`
}

/** An exact repeat of a 2 KB body, against what it cannot do without: one SHA-256 and one Map. */
async function benchHit(): Promise<void> {
  const keys = createKeys<null>({ secret: 'bench' })
  const memory = createMemory({ maxEntries: 10_000, maxBytes: 1e9, now: Date.now })
  const tiers = createTiers({ memory, now: Date.now })
  const text = 'x'.repeat(1900)
  const bodies = Array.from({ length: 1000 }, (_, at) =>
    Buffer.from(JSON.stringify({ contents: [{ role: 'user', parts: [{ text: `${at} ${text}` }] }] })),
  )
  const parts = {
    partition: 'partition-of-one-caller',
    dialect: 'native',
    apiVersion: 'v1beta',
    operation: 'generateContent',
    model: 'gemini-2.5-flash',
  }
  const plain = new Map<string, Buffer>()
  for (const body of bodies) {
    const result = keys.keyOf(parts, body, () => null)
    if ('refused' in result) throw new Error(result.refused)
    tiers.put(entryOf(result.key.key, Buffer.alloc(1600)))
    plain.set(hash('sha256', body, 'base64url'), body)
  }
  const perCall = (call: (body: Buffer) => boolean): number => {
    let found = 0
    const began = performance.now()
    for (let round = 0; round < 200; round++) for (const body of bodies) if (call(body)) found++
    if (found !== 200 * bodies.length) throw new Error(`${found} hits`)
    return ((performance.now() - began) * 1000) / found
  }
  const bare = (body: Buffer) => plain.has(hash('sha256', body, 'base64url'))
  const hit = (body: Buffer) => {
    const result = keys.keyOf(parts, body, () => null)
    return 'key' in result && tiers.peek(result.key.key) !== undefined
  }
  perCall(bare)
  perCall(hit)
  const [first, second] = [perCall(bare), perCall(hit)]
  say(
    `hit from memory, 2 KB body: ${second.toFixed(2)} µs, ${(second / first).toFixed(2)} × SHA-256 and a Map (${first.toFixed(2)} µs)`,
  )
}

/** Look-ups by random keys while the file grows to a thousand times its size. */
async function benchSqlite(most: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'castor-bench-'))
  const path = join(dir, 'cache.db')
  const store = createSqliteStore({ path, now: Date.now, maxEntries: most * 2, maxBytes: Number.MAX_SAFE_INTEGER })
  const keyv = keyvOf(store.adapter)
  const random = randomOf(1)
  const body = Buffer.alloc(300, 'answer ')
  let held = 0
  try {
    for (let size = 1000; size <= most; size *= 10) {
      const began = performance.now()
      const added = size - held
      while (held < size) {
        const rows = Array.from({ length: Math.min(1000, size - held) }, (_, at) => keyOf(held + at))
        const encoded = rows.map(async (key) => ({
          key,
          value: await encodeEntry(entryOf(key, body), false),
          ttl: 86_400_000,
        }))
        await keyv.setMany(await Promise.all(encoded))
        held += rows.length
      }
      const perWrite = ((performance.now() - began) * 1000) / added
      const found = await timed(20_000, async () => {
        if ((await keyv.get(keyOf(Math.floor(random() * size)))) === undefined) throw new Error('lost')
      })
      const missed = await timed(20_000, (at) => keyv.get(keyOf(-1 - at)))
      const mb = (statSync(path).size / 1e6).toFixed(0)
      say(
        `SQLite, ${String(size).padStart(8)} entries (${mb} MB): found ${found}   missed ${missed}   write ${perWrite.toFixed(1)} µs`,
      )
    }
    await store.close()
    const began = performance.now()
    const again = createSqliteStore({ path, now: Date.now, maxEntries: most * 2, maxBytes: Number.MAX_SAFE_INTEGER })
    await keyvOf(again.adapter).get(keyOf(0))
    say(`SQLite, first answer after a restart: ${(performance.now() - began).toFixed(0)} ms`)
    await again.close()
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Runs alone in a process of its own: resident memory is nobody else's then. */
function measureMemory(): void {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const count = 100_000
  const memory = createMemory({ maxEntries: count, maxBytes: 1e10, now: Date.now })
  memory.set('warm', entryOf('warm', Buffer.alloc(4096)))
  collect()
  const before = process.memoryUsage.rss()
  for (let at = 0; at < count; at++) memory.set(keyOf(at), entryOf(keyOf(at), Buffer.allocUnsafeSlow(4096).fill(at)))
  collect()
  const grown = process.memoryUsage.rss() - before
  const { entries, bytes } = memory.stats()
  const each = grown / entries
  say(
    `memory, ${entries} entries of 4 KB: ${(grown / 1e6).toFixed(0)} MB, ${(each / 4096).toFixed(2)} × their bytes (counted as ${(bytes / entries / 4096).toFixed(2)} ×)`,
  )
}

const all: Record<string, () => Promise<void>> = {
  hit: benchHit,
  sqlite: () => benchSqlite(Number(values.entries)),
  memory: async () => {
    spawnSync(process.execPath, [import.meta.filename, 'memory-alone'], { stdio: 'inherit' })
  },
  'memory-alone': async () => measureMemory(),
}

const names = positionals.length === 0 ? ['hit', 'memory', 'sqlite'] : positionals
if (!names.includes('memory-alone')) say(`node ${process.version}`)
for (const name of names) await all[name]?.()
