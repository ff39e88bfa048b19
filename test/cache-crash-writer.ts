/** Writes answers as fast as it can until it is killed; says on stdout what was acknowledged. Run by cache-crash.test.ts. */
import { encodeEntry } from '../src/cache/entry.ts'
import { createSqliteStore } from '../src/cache/sqlite-store.ts'
import { keyvOf } from '../src/cache/store.ts'
import { crashEntry } from './cache-crash-entry.ts'

const [path = '', first = '0'] = process.argv.slice(2)
const keyv = keyvOf(createSqliteStore({ path, now: Date.now }).adapter)

for (let batch = Number(first); ; batch++) {
  const entries = Array.from({ length: 20 }, (_, at) => crashEntry(batch, at))
  const rows = await Promise.all(
    entries.map(async (entry) => ({ key: entry.header.key, value: await encodeEntry(entry), ttl: 1e9 })),
  )
  await keyv.setMany(rows)
  process.stdout.write(`${batch}\n`)
}
