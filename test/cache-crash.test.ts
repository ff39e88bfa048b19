import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { decodeEntry } from '../src/cache/entry.ts'
import { createSqliteStore } from '../src/cache/sqlite-store.ts'
import { keyvOf } from '../src/cache/store.ts'
import { isWhole } from './cache-crash-entry.ts'

const KILLS = 25
const writer = new URL('cache-crash-writer.ts', import.meta.url).pathname

/** Lets a writer run until it has acknowledged some batches, and kills it in the middle of the next. */
async function writeAndKill(path: string, first: number, batches: number): Promise<number> {
  const child = spawn(process.execPath, [writer, path, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let last = first - 1
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line)
    if (last - first + 1 === batches) child.kill('SIGKILL')
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return last
}

t.test('killed in the middle of writing, again and again, the store opens and holds whole answers only', async (t) => {
  const path = join(t.testdir(), 'cache.db')
  const quarantined: string[] = []
  let next = 0
  let held = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const acknowledged = await writeAndKill(path, next, 1 + (kill % 7))
    const store = createSqliteStore({ path, now: Date.now, onQuarantine: (moved) => quarantined.push(moved) })
    const keyv = keyvOf(store.adapter)
    let torn = 0
    let found = 0
    for await (const { key, value } of store.best(1e9)) {
      found++
      const entry = decodeEntry(value, key)
      if (typeof entry === 'string' || !isWhole(key, entry.body.toString())) torn++
    }
    if (torn > 0) t.fail(`${torn} torn after kill ${kill}`)
    for (let at = 5; at < 20; at++) {
      if ((await keyv.get(`once-${acknowledged}-${at}`)) === undefined) t.fail(`batch ${acknowledged} was lost`)
    }
    if (found < held) t.fail(`${held - found} answers were lost`)
    t.equal((await store.stats()).entries, found)
    held = found
    await store.close()
    next = acknowledged + 100
  }
  t.same(quarantined, [])
  t.ok(held > KILLS * 15, `${held} answers`)
})
