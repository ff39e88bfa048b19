// Reads sums out of the SQLite ledger: whole days from the daily rollup, the rest of the range from the hourly one, and
// series from the hours of each client.
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite'
import type { Calendar } from '../schedule/calendar.ts'
import { type Dimensions, dimensionNames } from './event.ts'
import type { BookedEvent, LedgerQuery, LedgerRow } from './ledger.ts'
import { type Measures, measureNames } from './measure.ts'
import { addHeadline, decodeSums, measuresIn, noSums, type Sums } from './sums.ts'

type Row = Record<string, SQLOutputValue>

export interface Reader {
  read(query: LedgerQuery): LedgerRow[]
  recent(limit: number, tenant?: string): BookedEvent[]
}

interface Piece {
  table: 'usage_hour' | 'usage_day' | 'usage_tenant'
  fromMs: number
  toMs: number
}

/** One reader per database: it adds a function to it. */
export function createReader(database: DatabaseSync, calendar: Calendar): Reader {
  let take: (label: number, bytes: Uint8Array) => void = () => {}
  // An aggregate that hands rows over one by one costs half of building an array of them, and no garbage.
  database.aggregate('fold_sums', {
    start: 0,
    step(count: number, label: SQLOutputValue, bytes: SQLOutputValue) {
      if (bytes instanceof Uint8Array) take(Number(label), bytes)
      return count + 1
    },
  })

  function read(query: LedgerQuery): LedgerRow[] {
    const fromMs = calendar.hourStart(query.fromMs)
    if (!(fromMs < query.toMs)) return []
    if (query.by === 'dimensions') return readDimensions(query, fromMs)
    const buckets = collect([{ table: 'usage_tenant', fromMs, toMs: query.toMs }], 'bucket', query, (hourMs) =>
      query.by === 'day' ? calendar.dayStart(hourMs) : hourMs,
    )
    return [...buckets]
      .sort(([a], [b]) => a - b)
      .map(([bucketMs, sums]) => ({ ...rowOf(sums), bucketMs, dimensions: null }))
  }

  function readDimensions(query: LedgerQuery, fromMs: number): LedgerRow[] {
    const sums = collect(daysAndHours(fromMs, query.toMs), 'key', query, (key) => key)
    const columns = dimensionNames.map((name) => `"${name}"`).join(', ')
    const find = database.prepare(`SELECT ${columns} FROM usage_key WHERE id = ?`)
    return [...sums].map(([key, sum]) => {
      const row = find.get(key)
      return { ...rowOf(sum), bucketMs: null, dimensions: row ? dimensionsOf(row) : null }
    })
  }

  /** Sums the pieces by `label`, a column, as `relabel` maps it. */
  function collect(
    pieces: Piece[],
    label: 'bucket' | 'key',
    query: LedgerQuery,
    relabel: (value: number) => number,
  ): Map<number, Sums> {
    const timed = query.detail === undefined || query.detail === 'all'
    const found = new Map<number, Sums>()
    const sumsOf = (value: number): Sums => {
      const name = relabel(value)
      const known = found.get(name)
      if (known) return known
      const fresh = noSums(timed)
      found.set(name, fresh)
      return fresh
    }
    take = (value, bytes) => decodeSums(bytes, sumsOf(value), timed)
    for (const { table, fromMs, toMs } of pieces) {
      const parameters: SQLInputValue[] = [fromMs, toMs]
      let where = 'bucket >= ? AND bucket < ?'
      if (query.tenant !== undefined) {
        where += ' AND key IN (SELECT id FROM usage_key WHERE tenant = ?)'
        parameters.push(query.tenant)
      }
      if (query.detail !== 'headline') {
        database.prepare(`SELECT fold_sums(${label}, sums) FROM ${table} WHERE ${where}`).get(...parameters)
        continue
      }
      const sql = `SELECT ${label} AS label, TOTAL(calls) AS calls, TOTAL(cost) AS cost FROM ${table} WHERE ${where} GROUP BY ${label}`
      for (const row of database.prepare(sql).all(...parameters)) {
        addHeadline(sumsOf(Number(row.label)), Number(row.calls), Number(row.cost))
      }
    }
    return found
  }

  function daysAndHours(fromMs: number, toMs: number): Piece[] {
    const start = calendar.dayStart(fromMs)
    const firstDay = start === fromMs ? start : calendar.addDays(fromMs, 1)
    const lastDay = calendar.dayStart(toMs)
    if (firstDay > lastDay) return [{ table: 'usage_hour', fromMs, toMs }]
    const pieces: Piece[] = [
      { table: 'usage_hour', fromMs, toMs: firstDay },
      { table: 'usage_day', fromMs: firstDay, toMs: lastDay },
      { table: 'usage_hour', fromMs: lastDay, toMs },
    ]
    return pieces.filter((piece) => piece.fromMs < piece.toMs)
  }

  function recent(limit: number, tenant?: string): BookedEvent[] {
    const where = tenant === undefined ? '' : 'WHERE k.tenant = ?'
    const rows = database
      .prepare(
        `SELECT e.*, k.*, v.name AS price_version FROM usage_event e JOIN usage_key k ON k.id = e.key
         JOIN usage_version v ON v.id = e.version ${where} ORDER BY e.at DESC, e.id DESC LIMIT ?`,
      )
      .all(...(tenant === undefined ? [limit] : [tenant, limit]))
    return rows.map(bookedOf)
  }

  return { read, recent }
}

function rowOf(sums: Sums): Pick<LedgerRow, 'measures' | 'latency' | 'firstByte'> {
  return { measures: measuresIn(sums), latency: sums.latency, firstByte: sums.firstByte }
}

function dimensionsOf(row: Row): Dimensions {
  const dimensions: Record<string, string> = {}
  for (const name of dimensionNames) dimensions[name] = String(row[name] ?? '')
  // The columns were written from a Dimensions, so their words are of the closed vocabularies.
  return dimensions as unknown as Dimensions
}

/** One row of usage_event joined with its key and version. */
export function bookedOf(row: Row): BookedEvent {
  const ms = (value: SQLOutputValue | undefined): number | null => (typeof value === 'number' ? value : null)
  const measures = {} as Measures // filled on the next line, for every name
  for (const name of measureNames) measures[name] = Number(row[name] ?? 0)
  return {
    ...dimensionsOf(row),
    requestId: String(row.request),
    attempt: Number(row.attempt),
    final: row.final === 1,
    atMs: Number(row.at),
    status: Number(row.status),
    usageSource: String(row.usage_source),
    priceKind: String(row.price_kind),
    priceVersion: String(row.price_version),
    latencyMs: ms(row.latency_ms),
    firstByteMs: ms(row.first_byte_ms),
    measures,
  }
}
