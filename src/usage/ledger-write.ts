// Writes events and their rollups in one transaction, each event once.
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { Calendar } from '../schedule/calendar.ts'
import { dayMs as day } from '../schedule/calendar.ts'
import { type Dimensions, dimensionNames, type UsageEvent } from './event.ts'
import { createFolder } from './fold.ts'
import { addSample } from './histogram.ts'
import type { Retention } from './ledger.ts'
import { rollupTables, statements } from './ledger-schema.ts'
import { type Measures, measureNames, measuresOf } from './measure.ts'
import { addToSums, decodeSums, noSums, putValues, type Sums } from './sums.ts'

export interface Writer {
  /** Books these events in one transaction; one that is there already is left as it is. */
  write(events: UsageEvent[]): void
  sweep(nowMs: number, retention: Retention): number
  readonly folded: number
}

interface Delta {
  bucket: number
  key: number
  sums: Sums
}

// A row of the series table is for everything a client did: no other dimension has a word.
const onlyTenant = Object.fromEntries(dimensionNames.map((name) => [name, ''])) as unknown as Dimensions

const rememberedKeys = 10_000

/** All dimensions as one text that only they give. */
function joined(dimensions: Dimensions): string {
  let text = ''
  for (const name of dimensionNames) text += `${dimensions[name]}\u001f`
  return text
}

const sweepRows = 5_000

export function createWriter(database: DatabaseSync, calendar: Calendar, maxCombinations: number): Writer {
  const insertEvent = database.prepare(statements.insertEvent)
  const insertKey = database.prepare(statements.insertKey)
  const findKey = database.prepare(statements.findKey)
  const insertVersion = database.prepare(statements.insertVersion)
  const findVersion = database.prepare(statements.findVersion)
  const grains = rollupTables.map((table) => ({
    find: database.prepare(statements.findRollup(table)),
    put: database.prepare(statements.putRollup(table)),
  }))
  const keys = new Map<string, number>()
  const versions = new Map<string, number>()
  const folder = createFolder(maxCombinations)
  let prunedMs = 0

  function keyOf(dimensions: Dimensions, name = joined(dimensions)): number {
    const known = keys.get(name)
    if (known !== undefined) return known
    return intern(
      keys,
      name,
      dimensionNames.map((each) => dimensions[each]),
      insertKey,
      findKey,
    )
  }

  function write(events: UsageEvent[]): void {
    database.exec('BEGIN IMMEDIATE')
    try {
      const deltas = rollupTables.map(() => new Map<string, Delta>())
      for (const event of events) {
        const dayStart = calendar.dayStart(event.atMs)
        const name = joined(event)
        const dimensions = folder.fold(dayStart, event, name)
        const key = dimensions === event ? keyOf(event, name) : keyOf(dimensions)
        const measures = measuresOf(event)
        const version = intern(versions, event.priceVersion, [event.priceVersion], insertVersion, findVersion)
        if (!insert(event, key, version, measures)) continue
        const hourStart = calendar.hourStart(event.atMs)
        const tenantKey = keyOf({ ...onlyTenant, tenant: event.tenant }, `${event.tenant}\u001e`)
        gather(deltas[0], hourStart, key, event, measures)
        gather(deltas[1], dayStart, key, event, measures)
        gather(deltas[2], hourStart, tenantKey, event, measures)
      }
      for (const [at, grain] of grains.entries()) {
        for (const delta of deltas[at]?.values() ?? []) apply(grain, delta)
      }
      database.exec('COMMIT')
    } catch (error) {
      // Numbers given out in this transaction are gone with it.
      keys.clear()
      versions.clear()
      if (database.isOpen && database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
  }

  function insert(event: UsageEvent, key: number, version: number, measures: Measures): boolean {
    const result = insertEvent.run(
      event.requestId,
      event.attempt,
      Math.round(event.atMs),
      key,
      event.final ? 1 : 0,
      event.status,
      event.usageSource,
      event.priceKind,
      version,
      event.latencyMs === null ? null : Math.round(event.latencyMs),
      event.firstByteMs === null ? null : Math.round(event.firstByteMs),
      ...measureNames.map((name) => measures[name]),
    )
    return result.changes === 1
  }

  function apply(grain: { find: StatementSync; put: StatementSync }, delta: Delta): void {
    const known = grain.find.get(delta.bucket, delta.key)?.sums
    if (known instanceof Uint8Array) decodeSums(known, delta.sums)
    grain.put.run(delta.bucket, delta.key, ...putValues(delta.sums))
  }

  /** Old rows go in small steps, so that a sweep never holds the loop for long; what is left goes the next time. */
  function sweep(nowMs: number, retention: Retention): number {
    let swept = 0
    for (const [table, column, keptDays] of [
      ['usage_event', 'at', retention.eventDays],
      ['usage_hour', 'bucket', retention.hourDays],
      ['usage_day', 'bucket', retention.dayDays],
      ['usage_tenant', 'bucket', retention.dayDays],
    ] as const) {
      const oldest = nowMs - keptDays * day
      const rows = table === 'usage_event' ? 'id' : 'bucket, key'
      const step = database.prepare(
        `DELETE FROM ${table} WHERE (${rows}) IN (SELECT ${rows} FROM ${table} WHERE ${column} < ? LIMIT ${sweepRows})`,
      )
      swept += Number(step.run(oldest).changes)
    }
    if (swept > 0 && nowMs - prunedMs > day) pruneKeys(nowMs)
    return swept
  }

  /** Combinations that no row refers to any more. It reads every row once, so it is done once a day. */
  function pruneKeys(nowMs: number): void {
    prunedMs = nowMs
    const used = ['usage_event', ...rollupTables].map((table) => `SELECT key FROM ${table}`).join(' UNION ')
    database.exec(`DELETE FROM usage_key WHERE id NOT IN (${used})`)
    // Their numbers may be given out again.
    keys.clear()
  }

  return {
    write,
    sweep,
    get folded() {
      return folder.folded
    },
  }
}

function gather(
  deltas: Map<string, Delta> | undefined,
  bucket: number,
  key: number,
  event: UsageEvent,
  measures: Measures,
): void {
  const name = `${bucket} ${key}`
  let delta = deltas?.get(name)
  if (!delta) {
    delta = { bucket, key, sums: noSums() }
    deltas?.set(name, delta)
  }
  addToSums(delta.sums, measures)
  if (event.latencyMs !== null) addSample(delta.sums.latency, event.latencyMs)
  if (event.firstByteMs !== null) addSample(delta.sums.firstByte, event.firstByteMs)
}

/** The number of a text that is stored once. The memory of numbers is bounded; a forgotten one is looked up again. */
function intern(
  known: Map<string, number>,
  name: string,
  values: SQLInputValue[],
  insert: StatementSync,
  find: StatementSync,
): number {
  const remembered = known.get(name)
  if (remembered !== undefined) return remembered
  insert.run(...values)
  const id = Number(find.get(...values)?.id)
  if (known.size >= rememberedKeys) known.clear()
  known.set(name, id)
  return id
}
