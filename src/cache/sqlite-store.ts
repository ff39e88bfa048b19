/** The answers on disk: one SQLite file, read and written in microseconds, there again after a restart. */
import { setImmediate as breathe } from 'node:timers/promises'
import { isBroken } from '../storage/sqlite.ts'
import { peekHeader } from './entry.ts'
import type { Scope } from './scope.ts'
import { type Answers, openAnswers, type Row, STEP } from './sqlite-rows.ts'
import { type Adapter, isWrapped, type Store } from './store.ts'

export type SqliteStoreOptions = {
  path: string
  maxEntries?: number
  maxBytes?: number
  /** Epoch ms. */
  now: () => number
  /** A broken file was put aside and a fresh one begun. */
  onQuarantine?: (moved: string, cause: Error) => void
}

export function createSqliteStore(options: SqliteStoreOptions): Store {
  const { now } = options
  const maxEntries = options.maxEntries ?? 1_000_000
  const maxBytes = options.maxBytes ?? 4 * 1024 ** 3
  let session: Answers | undefined
  /** Looked through at the first opening, and when it has shown damage; a store that comes and goes is not, each time. */
  let isSuspect = true
  let closed = false

  /** Opened on first use, and again after the file broke: the store may be away, the gateway is not. */
  function current(): Answers {
    if (closed) throw new Error('the cache store is closed')
    session ??= openAnswers(options.path, isSuspect, (moved, cause) => options.onQuarantine?.(moved, cause))
    isSuspect = false
    return session
  }

  function work<T>(job: (open: Answers) => T): T {
    const open = current()
    const before = open.counts()
    try {
      return job(open)
    } catch (error) {
      open.reset(before)
      isSuspect ||= isBroken(error)
      if (!isPassing(error)) {
        session = undefined
        open.close()
      }
      throw error
    }
  }

  function write(rows: Row[]): void {
    work((open) => {
      open.transaction(() => {
        open.touch(now())
        for (const row of rows) open.put(row, now())
        open.shrink(maxEntries, maxBytes)
      })
    })
  }

  const adapter: Adapter = {
    opts: { dialect: 'sqlite', url: options.path },
    namespace: undefined,
    // An adapter must be able to take keyv's listener; failures reach it as rejections.
    on: () => adapter,
    async get<Value>(key: string) {
      const value = work((open) => open.get(key, now()))
      // keyv's types know the value only as the caller's type parameter.
      return (value === undefined ? undefined : { value }) as Value | undefined
    },
    async set(key: string, value: unknown, ttl?: number) {
      write([rowOf(key, value, ttl)])
      return true
    },
    async setMany(entries: Array<{ key: string; value: unknown; ttl?: number }>) {
      write(entries.map(({ key, value, ttl }) => rowOf(key, value, ttl)))
    },
    async delete(key: string) {
      return work((open) => open.removeKey(key)) > 0
    },
    async clear() {
      await purge({ kind: 'all' }, Number.MAX_SAFE_INTEGER)
    },
    async disconnect() {
      await close()
    },
  }

  /** Runs a deletion of at most STEP rows again and again, with room between for requests. */
  async function inSteps(step: (open: Answers) => number | undefined): Promise<number> {
    let total = 0
    for (;;) {
      const removed = work((open) => open.transaction(() => step(open)))
      if (removed === undefined) return total
      total += removed
      await breathe()
    }
  }

  async function purge(scope: Scope, generation: number): Promise<number> {
    let after = 0
    return await inSteps((open) => {
      const step = open.purge(scope, generation, after)
      after = step?.last ?? after
      return step?.removed
    })
  }

  async function cleanup(): Promise<number> {
    const at = now()
    const expired = await inSteps((open) => open.expire(at) || undefined)
    return expired + (await inSteps((open) => open.shrink(maxEntries, maxBytes) || undefined))
  }

  async function* best(limit: number) {
    let from = { rank: Number.MAX_VALUE, id: Number.MAX_SAFE_INTEGER }
    for (let given = 0; given < limit; ) {
      const rows = work((open) => open.better(from.rank, from.id, now(), Math.min(STEP, limit - given)))
      yield* rows
      const last = rows.at(-1)
      if (last === undefined) return
      from = last
      given += rows.length
      await breathe()
    }
  }

  async function close(): Promise<void> {
    if (session !== undefined) work((open) => open.transaction(() => open.touch(now())))
    closed = true
    session?.close()
    session = undefined
  }

  return {
    name: 'sqlite',
    adapter,
    floors: async () => work((open) => open.floors()),
    raise: async (scope, atLeast) => work((open) => open.transaction(() => open.raise(scope, atLeast))),
    purge,
    cleanup,
    best,
    stats: async () => work((open) => open.counts()),
    close,
  }
}

function rowOf(key: string, wrapped: unknown, ttl: number | undefined): Row {
  const value = isWrapped(wrapped) ? wrapped.value : undefined
  const header = value === undefined ? undefined : peekHeader(value)
  if (value === undefined || header === undefined) throw new TypeError('the cache store takes encoded entries only')
  return { key, value, ttl, header }
}

/** Busy, locked, full: the file is sound and stays open. Anything else may have gone for good (sqlite.org/rescode.html). */
function isPassing(error: unknown): boolean {
  if (!(error instanceof Error) || !('errcode' in error)) return true
  return [5, 6, 13].includes(Number(error.errcode) & 0xff)
}
