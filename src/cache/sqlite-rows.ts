/** The table of answers: its schema, its statements, and what it holds. Everything here is synchronous and throws. */
import { openSqlite, type Sqlite } from '../storage/sqlite.ts'
import type { EntryHeader } from './entry.ts'
import { type Floor, MAX_FLOORS, parseScope, type Scope, scopeText } from './scope.ts'

export type Row = { key: string; value: Uint8Array; ttl: number | undefined; header: EntryHeader }

export type Answers = ReturnType<typeof openAnswers>

/** Rows touched in one transaction: about a millisecond of the event loop. */
export const STEP = 100

/** The value stands last: what is before it can be read without it, though it runs over several pages. */
const MIGRATIONS = [
  `CREATE TABLE answer (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL, stale_until INTEGER NOT NULL,
    weight REAL NOT NULL, rank REAL NOT NULL, generation INTEGER NOT NULL,
    partition TEXT NOT NULL, tenant TEXT NOT NULL, model TEXT NOT NULL, interaction TEXT NOT NULL, tags TEXT NOT NULL,
    value BLOB NOT NULL
  ) STRICT;
  CREATE INDEX answer_stale_until ON answer (stale_until);
  CREATE INDEX answer_rank ON answer (rank, bytes);
  CREATE TABLE purge (generation INTEGER PRIMARY KEY, scope TEXT NOT NULL UNIQUE) STRICT`,
]

/**
 * rank = last use / this + log2(worth / bytes): an answer must be worth twice as much to outlive one used a day later.
 * The order of two ranks does not change with time, so an index can hold it.
 */
const HALF_LIFE_MS = 24 * 3600 * 1000

/** Holds the upper levels of the index for a million answers; their leaves are read from the file. */
const PAGE_CACHE_KIB = 16 * 1024

/** Another process (the CLI) may hold the write lock; longer than this is a failed write, not a frozen gateway. */
const BUSY_MS = 50

/** @throws when the file cannot be opened */
export function openAnswers(path: string, check: boolean, onQuarantine: (moved: string, cause: Error) => void) {
  const file = openSqlite({
    path,
    migrations: MIGRATIONS,
    busyTimeoutMs: BUSY_MS,
    pageCacheKib: PAGE_CACHE_KIB,
    check,
    onQuarantine,
  })
  try {
    return prepare(file)
  } catch (error) {
    file.close()
    throw error
  }
}

function prepare(file: Sqlite) {
  const { db } = file
  const select = db.prepare('SELECT id, value FROM answer WHERE key = ? AND stale_until > ?')
  const insert = db.prepare(
    `INSERT INTO answer (key, bytes, stale_until, weight, rank, generation, partition, tenant, model, interaction, tags, value)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const deleteKey = db.prepare('DELETE FROM answer WHERE key = ? RETURNING bytes')
  const deleteExpired = db.prepare(
    `DELETE FROM answer WHERE id IN (SELECT id FROM answer WHERE stale_until <= ? LIMIT ${STEP}) RETURNING bytes`,
  )
  const deleteLeast = db.prepare(
    `DELETE FROM answer WHERE id IN (SELECT id FROM answer ORDER BY rank LIMIT ${STEP}) RETURNING bytes`,
  )
  const use = db.prepare('UPDATE answer SET rank = ? + weight WHERE id = ?')
  const best = db.prepare(
    `SELECT id, key, rank, value FROM answer WHERE (rank, id) < (?, ?) AND stale_until > ? ORDER BY rank DESC, id DESC LIMIT ?`,
  )
  const lastOf = db.prepare('SELECT max(id) AS id FROM (SELECT id FROM answer WHERE id > ? ORDER BY id LIMIT ?)')
  const allFloors = db.prepare('SELECT generation, scope FROM purge')
  const putFloor = db.prepare('INSERT OR REPLACE INTO purge (generation, scope) VALUES (?, ?)')

  // Answered from the index on rank: the table itself may be gigabytes.
  const first = db
    .prepare('SELECT count(*) AS entries, coalesce(sum(bytes), 0) AS bytes FROM answer INDEXED BY answer_rank')
    .get()
  const held = { entries: Number(first?.entries ?? 0), bytes: Number(first?.bytes ?? 0) }
  const used = new Set<number>()

  function get(key: string, at: number): Uint8Array | undefined {
    const row = select.get(key, at)
    if (row === undefined) return undefined
    // Written down with the next answers; a read stays a read.
    if (used.size < 1000) used.add(Number(row.id))
    return blob(row.value)
  }

  function touch(at: number): void {
    for (const id of used) use.run(at / HALF_LIFE_MS, id)
    used.clear()
  }

  function put({ key, value, ttl, header }: Row, at: number): void {
    remove(deleteKey.all(key))
    const density = (header.costUsd + header.latencyMs / 3.6e8 + 1e-9) / (value.length + 1)
    const weight = Math.log2(density)
    const staleUntil = ttl === undefined ? header.staleUntil : at + ttl
    const { generation, partition, tenant, model, interaction, tags } = header
    const tagged = JSON.stringify(tags)
    const rank = at / HALF_LIFE_MS + weight
    insert.run(
      key,
      value.length,
      staleUntil,
      weight,
      rank,
      generation,
      partition,
      tenant,
      model,
      interaction,
      tagged,
      value,
    )
    held.entries++
    held.bytes += value.length
  }

  function remove(rows: Array<Record<string, unknown>>): number {
    for (const row of rows) {
      held.entries--
      held.bytes -= Number(row.bytes)
    }
    return rows.length
  }

  /** Removes the least useful until within bounds, a step at a time. */
  function shrink(maxEntries: number, maxBytes: number): number {
    return held.entries > maxEntries || held.bytes > maxBytes ? remove(deleteLeast.all()) : 0
  }

  /** Takes the next generation for a scope. */
  function raise(scope: Scope, atLeast: number): number {
    const known = floors()
    const highest = known.reduce((most, floor) => Math.max(most, floor.generation), atLeast)
    if (known.length >= MAX_FLOORS) {
      db.exec('DELETE FROM purge')
      putFloor.run(highest + 1, 'all')
      return highest + 1
    }
    putFloor.run(highest + 1, scopeText(scope))
    return highest + 1
  }

  function floors(): Floor[] {
    return allFloors.all().flatMap((row) => {
      const scope = parseScope(String(row.scope))
      return scope === undefined ? [] : [{ scope, generation: Number(row.generation) }]
    })
  }

  /** Puts the counts back after a transaction that was rolled back. */
  function reset(counts: { entries: number; bytes: number }): void {
    Object.assign(held, counts)
  }

  /** Deletes what a scope covers among the `STEP * 5` rows after `after`. @returns undefined when there are none */
  function purge(scope: Scope, generation: number, after: number): { removed: number; last: number } | undefined {
    const last = Number(lastOf.get(after, STEP * 5)?.id ?? 0)
    if (last === 0) return undefined
    const [condition, values] = conditionOf(scope)
    const found = db.prepare(
      `DELETE FROM answer WHERE id > ? AND id <= ? AND generation < ? AND ${condition} RETURNING bytes`,
    )
    return { removed: remove(found.all(after, last, generation, ...values)), last }
  }

  /** The next best answers after a rank and id. */
  function better(rank: number, id: number, at: number, limit: number) {
    return best.all(rank, id, at, limit).map((row) => ({
      id: Number(row.id),
      key: String(row.key),
      rank: Number(row.rank),
      value: blob(row.value),
    }))
  }

  const removeKey = (key: string) => remove(deleteKey.all(key))
  const expire = (at: number) => remove(deleteExpired.all(at))
  const counts = () => ({ ...held })
  const { transaction, close } = file
  return { transaction, close, get, put, touch, removeKey, expire, shrink, purge, better, floors, raise, counts, reset }
}

function blob(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array()
}

function conditionOf(scope: Scope): [sql: string, values: string[]] {
  switch (scope.kind) {
    case 'all':
      return ['TRUE', []]
    case 'tag':
      return ['EXISTS (SELECT 1 FROM json_each(tags) WHERE json_each.value = ?)', [scope.value]]
    default:
      // The kind is one of a closed union and a column's name.
      return [`${scope.kind} = ?`, [scope.value]]
  }
}
