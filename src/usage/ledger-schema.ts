// Tables of the SQLite ledger. A combination of dimensions is stored once and referred to by number, which is what keeps
// a year of ten million calls below 200 MB. usage_hour and usage_day hold a row per combination; usage_tenant holds the
// hours of each client over everything else, which is what series are drawn from. `calls` and `cost` stand beside the packed
// sums as well: they are what comparisons with earlier periods need, without unpacking anything.
import { openSqlite, type Sqlite } from '../storage/sqlite.ts'
import { dimensionNames } from './event.ts'
import { measureNames } from './measure.ts'

const dimensionColumns = dimensionNames.map((name) => `"${name}" TEXT NOT NULL`).join(', ')
const measureColumns = measureNames.map((name) => `"${name}" INTEGER NOT NULL DEFAULT 0`).join(', ')

/** By hour and combination, by day and combination, by hour and client. */
export const rollupTables = ['usage_hour', 'usage_day', 'usage_tenant'] as const

const rollup = (table: string): string => `
  CREATE TABLE ${table} (
    bucket INTEGER NOT NULL, key INTEGER NOT NULL, calls INTEGER NOT NULL, cost INTEGER NOT NULL, sums BLOB NOT NULL,
    PRIMARY KEY (bucket, key)
  ) WITHOUT ROWID;`

/** Applied in order; a change to the tables, new measures included, is a new entry. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE usage_key (
    id INTEGER PRIMARY KEY, ${dimensionColumns}, UNIQUE (${dimensionNames.map((name) => `"${name}"`).join(', ')})
  );
  CREATE TABLE usage_version (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE usage_event (
    id INTEGER PRIMARY KEY, request TEXT NOT NULL, attempt INTEGER NOT NULL, at INTEGER NOT NULL, key INTEGER NOT NULL,
    final INTEGER NOT NULL, status INTEGER NOT NULL, usage_source TEXT NOT NULL, price_kind TEXT NOT NULL,
    version INTEGER NOT NULL, latency_ms INTEGER, first_byte_ms INTEGER, ${measureColumns},
    UNIQUE (request, attempt)
  );
  CREATE INDEX usage_event_at ON usage_event (at);
  ${rollupTables.map(rollup).join('\n')}`,
]

/** Opens the ledger's own file. A broken one is put aside and told of; the journal still holds what it had not committed. */
export function openLedgerFile(path: string, onQuarantine: (moved: string, cause: Error) => void): Sqlite {
  return openSqlite({ path, migrations, onQuarantine })
}

const quoted = measureNames.map((name) => `"${name}"`)

export const statements = {
  insertKey: `INSERT INTO usage_key (${dimensionNames.map((name) => `"${name}"`).join(', ')})
    VALUES (${dimensionNames.map(() => '?').join(', ')}) ON CONFLICT DO NOTHING`,
  findKey: `SELECT id FROM usage_key WHERE ${dimensionNames.map((name) => `"${name}" = ?`).join(' AND ')}`,
  insertVersion: 'INSERT INTO usage_version (name) VALUES (?) ON CONFLICT DO NOTHING',
  findVersion: 'SELECT id FROM usage_version WHERE name = ?',
  insertEvent: `INSERT INTO usage_event (request, attempt, at, key, final, status, usage_source, price_kind, version,
    latency_ms, first_byte_ms, ${quoted.join(', ')})
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ${quoted.map(() => '?').join(', ')}) ON CONFLICT DO NOTHING`,
  findRollup: (table: string): string => `SELECT sums FROM ${table} WHERE bucket = ? AND key = ?`,
  putRollup: (table: string): string =>
    `INSERT OR REPLACE INTO ${table} (bucket, key, calls, cost, sums) VALUES (?, ?, ?, ?, ?)`,
}
