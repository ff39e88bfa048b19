import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { openSqlite } from '../src/storage/sqlite.ts'

const migrations = ['CREATE TABLE note (text TEXT) STRICT']

t.test('a file is private, kept in WAL, migrated step by step', async (t) => {
  const path = join(t.testdir(), 'deep', 'a.db')
  const first = openSqlite({ path, migrations })
  first.db.exec("INSERT INTO note VALUES ('kept')")
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.equal(statSync(`${path}-wal`).mode & 0o777, 0o600)
  t.match(first.db.prepare('PRAGMA journal_mode').get(), { journal_mode: 'wal' })
  first.close()

  const second = openSqlite({ path, migrations: [...migrations, 'ALTER TABLE note ADD COLUMN at INTEGER'] })
  t.match({ ...second.db.prepare('SELECT text, at FROM note').get() }, { text: 'kept', at: null })
  second.close()
  t.throws(() => openSqlite({ path, migrations }), /newer version/)
})

t.test('a file is opened once and closed with its last opener', async (t) => {
  const path = join(t.testdir(), 'a.db')
  const one = openSqlite({ path, migrations })
  const two = openSqlite({ path, migrations })
  t.equal(one.db, two.db)
  one.close()
  one.close()
  t.ok(two.db.isOpen)
  two.close()
  t.notOk(two.db.isOpen)
  const memory = [openSqlite({ path: ':memory:', migrations }), openSqlite({ path: ':memory:', migrations })]
  t.not(memory[0]?.db, memory[1]?.db, 'a database in memory is nobody else’s')
  for (const each of memory) each.close()
})

t.test('a transaction happens whole or not at all', async (t) => {
  const { db, transaction, close } = openSqlite({ path: ':memory:', migrations })
  t.teardown(close)
  t.throws(() =>
    transaction(() => {
      db.exec("INSERT INTO note VALUES ('x')")
      throw new Error('no')
    }),
  )
  t.match({ ...db.prepare('SELECT count(*) AS n FROM note').get() }, { n: 0 })
  t.equal(
    transaction(() => 5),
    5,
  )
})

t.test('a broken file is put aside with its log, and a fresh one begun', async (t) => {
  const path = join(t.testdir(), 'a.db')
  writeFileSync(path, 'this is no database, whatever its name says, and it is long enough to be read as one'.repeat(50))
  let moved = ''
  const { db, close } = openSqlite({
    path,
    migrations,
    onQuarantine: (where) => {
      moved = where
    },
  })
  t.teardown(close)
  t.match(db.prepare('SELECT count(*) AS n FROM note').get()?.n, 0)
  t.ok(existsSync(moved))
  t.equal(statSync(path).mode & 0o777, 0o600)
})

t.test('damage inside a file is found when it is opened', async (t) => {
  const path = join(t.testdir(), 'a.db')
  const file = openSqlite({ path, migrations })
  for (let at = 0; at < 500; at++) file.db.prepare('INSERT INTO note VALUES (?)').run('x'.repeat(500))
  file.close()
  const size = statSync(path).size
  const plain = new DatabaseSync(path)
  plain.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  plain.close()
  const { readFileSync } = await import('node:fs')
  const bytes = readFileSync(path)
  bytes.fill(0x5a, Math.floor(size / 2), Math.floor(size / 2) + 8192)
  writeFileSync(path, bytes)
  t.throws(() => openSqlite({ path, migrations }), 'without a quarantine it is an error')
  let cause: Error | undefined
  const fresh = openSqlite({
    path,
    migrations,
    onQuarantine: (_, error) => {
      cause = error
    },
  })
  t.teardown(fresh.close)
  t.ok(cause)
  t.match(fresh.db.prepare('SELECT count(*) AS n FROM note').get()?.n, 0)
})
