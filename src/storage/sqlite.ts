/**
 * Opens SQLite files (node:sqlite): once per file in a process, private to its owner, migrated, checked. A file that is
 * broken is put aside and a fresh one begun: a gateway without its memory is better than none.
 */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export type SqliteOptions = {
  /** ':memory:' is a private database that is gone when closed. */
  path: string
  /** Applied in order, each in its own transaction; `user_version` counts them. Never edit one that was released. */
  migrations: readonly string[]
  /** How long a statement may wait for another process' write, ms. It blocks the event loop. */
  busyTimeoutMs?: number
  /** Pages of the file kept in memory, KiB. SQLite's own default is 2000. */
  pageCacheKib?: number
  /** false: not looked through for damage, since this process did so before. */
  check?: boolean
  /** Told where a broken file was moved. Without it, opening a broken file throws. */
  onQuarantine?: (moved: string, cause: Error) => void
}

export type Sqlite = {
  db: DatabaseSync
  path: string
  /** Runs `work` in one transaction: all of it or nothing. */
  transaction: <T>(work: () => T) => T
  /** Closes the file when its last opener closes it. */
  close: () => void
}

type Shared = { db: DatabaseSync; openers: number }

const open = new Map<string, Shared>()

/**
 * @throws if the file cannot be opened at all (no such right, disk full), or is of a newer Castor
 */
export function openSqlite(options: SqliteOptions): Sqlite {
  const path = options.path === ':memory:' ? options.path : resolve(options.path)
  const shared = open.get(path)
  if (shared !== undefined) {
    shared.openers++
    migrate(shared.db, options.migrations, path)
    return handle(path, shared)
  }
  const fresh = { db: connect(path, options), openers: 1 }
  if (path !== ':memory:') open.set(path, fresh)
  return handle(path, fresh)
}

function connect(path: string, options: SqliteOptions): DatabaseSync {
  try {
    return prepare(path, options)
  } catch (error) {
    if (path === ':memory:' || options.onQuarantine === undefined || !isBroken(error)) throw error
    const moved = quarantine(path)
    const db = prepare(path, options)
    options.onQuarantine(moved, error)
    return db
  }
}

function prepare(path: string, options: SqliteOptions): DatabaseSync {
  if (path !== ':memory:') makePrivate(path)
  const db = new DatabaseSync(path, { timeout: options.busyTimeoutMs ?? 5000 })
  try {
    // WAL: readers and the writer do not wait for each other. NORMAL: a power cut may lose the last commits, never
    // the file; a killed process loses nothing (sqlite.org/wal.html, sqlite.org/pragma.html#pragma_synchronous).
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF',
    )
    if (options.pageCacheKib !== undefined) db.exec(`PRAGMA cache_size = -${Math.trunc(options.pageCacheKib)}`)
    // The log is cut back after a checkpoint, or one burst of writes would hold its size on disk for good.
    db.exec('PRAGMA journal_size_limit = 67108864')
    if (options.check !== false) check(db)
    migrate(db, options.migrations, path)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** SQLite makes its files with the process' umask; the log and its index take over the rights of the file. */
function makePrivate(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
}

/** quick_check reads every page once; past this size only the pages of the schema are read. */
const CHECKED_WHOLE_PAGES = 65_536

function check(db: DatabaseSync): void {
  const pages = Number(db.prepare('PRAGMA page_count').get()?.page_count ?? 0)
  if (pages > CHECKED_WHOLE_PAGES) {
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    return
  }
  const row = db.prepare('PRAGMA quick_check(1)').get()
  const verdict = String(row?.quick_check)
  if (verdict !== 'ok') throw new Broken(verdict)
}

class Broken extends Error {}

function migrate(db: DatabaseSync, migrations: readonly string[], path: string): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.user_version ?? 0)
  if (version > migrations.length) {
    throw new Error(`${path} was written by a newer version (schema ${version}, this one knows ${migrations.length})`)
  }
  for (let next = version; next < migrations.length; next++) {
    inTransaction(db, () => db.exec(`${migrations[next]}; PRAGMA user_version = ${next + 1}`))
  }
}

function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    db.exec('COMMIT')
    return result
  } catch (error) {
    // A full disk rolls back by itself (sqlite.org/lang_transaction.html, errors that cause rollback).
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

/** Whether an error means that the file itself is damaged: SQLITE_CORRUPT and SQLITE_NOTADB (sqlite.org/rescode.html). */
export function isBroken(error: unknown): error is Error {
  if (error instanceof Broken) return true
  if (!(error instanceof Error) || !('errcode' in error)) return false
  const code = Number(error.errcode) & 0xff
  return code === 11 || code === 26
}

/** Renames the file aside with its log; the newest wreck is kept, older ones make room. */
function quarantine(path: string): string {
  const moved = `${path}.broken`
  for (const suffix of ['', '-wal', '-shm']) {
    rmSync(moved + suffix, { force: true })
    if (existsSync(path + suffix)) renameSync(path + suffix, moved + suffix)
  }
  return moved
}

function handle(path: string, shared: Shared): Sqlite {
  let isOpen = true

  function close(): void {
    if (!isOpen) return
    isOpen = false
    shared.openers--
    if (shared.openers > 0) return
    if (open.get(path) === shared) open.delete(path)
    shared.db.close()
  }

  return { db: shared.db, path, transaction: (work) => inTransaction(shared.db, work), close }
}
