// Costs booked events again after a price was corrected, and moves the difference into the rollups.
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { Calendar } from '../schedule/calendar.ts'
import { costOf, costWithoutProviderCache } from './cost.ts'
import type { BookedEvent } from './ledger.ts'
import { bookedOf } from './ledger-read.ts'
import { rollupTables, statements } from './ledger-schema.ts'
import type { MeasureName, Measures } from './measure.ts'
import type { Prices } from './prices.ts'
import { addToSums, decodeSums, noSums, putValues } from './sums.ts'
import type { TokenUsage } from './tokens.ts'

export interface Repriced {
  /** Events looked at, and those whose cost changed. */
  events: number
  changed: number
  /** New total minus old, nano-USD. */
  differenceNanoUsd: number
}

// What reprice may change; tokens, calls, times and savings stay as they were booked.
const moved = [
  'unpricedAttempts',
  'defaultPricedAttempts',
  'cost',
  'costInput',
  'costCached',
  'costOutput',
  'costThoughts',
  'costToolUse',
  'costGrounding',
  'estimatedCost',
  'longAttempts',
  'longCost',
  'providerCache',
  'overhead',
  'repeatCost',
] as const satisfies readonly MeasureName[]

const stepRows = 200

/**
 * Reprices events that ended in [fromMs, toMs), in steps of 200, each its own transaction: stopped half-way it can be run
 * again. Only events still kept can be repriced (retention.eventDays). Savings stay as they were reckoned.
 */
export function repriceEvents(
  database: DatabaseSync,
  calendar: Calendar,
  prices: Prices,
  fromMs: number,
  toMs: number,
): Repriced {
  const select = database.prepare(
    `SELECT e.id AS event_id, e.*, k.*, v.name AS price_version FROM usage_event e JOIN usage_key k ON k.id = e.key
     JOIN usage_version v ON v.id = e.version WHERE e.at >= ? AND e.at < ? AND e.id > ? ORDER BY e.id LIMIT ${stepRows}`,
  )
  const assign = moved.map((name) => `"${name}" = "${name}" + ?`).join(', ')
  const event = database.prepare(`UPDATE usage_event SET ${assign}, price_kind = ?, version = ? WHERE id = ?`)
  const rollups = rollupTables.map((table) => ({
    find: database.prepare(statements.findRollup(table)),
    put: database.prepare(statements.putRollup(table)),
  }))
  // The key of a client's series: the one in which nothing but the client is named.
  const tenantKey = database.prepare("SELECT id FROM usage_key WHERE tenant = ? AND outcome = ''")
  const insertVersion = database.prepare(statements.insertVersion)
  const findVersion = database.prepare(statements.findVersion)
  const result: Repriced = { events: 0, changed: 0, differenceNanoUsd: 0 }

  for (let after = 0; ; ) {
    const rows = select.all(fromMs, toMs, after)
    if (rows.length === 0) return result
    database.exec('BEGIN IMMEDIATE')
    try {
      for (const row of rows) {
        after = Number(row.event_id)
        result.events += 1
        const booked = bookedOf(row)
        const next = reprice(booked, prices)
        if (!next) continue
        const deltas: SQLInputValue[] = moved.map((name) => next.measures[name] - booked.measures[name])
        if (deltas.every((delta) => delta === 0)) continue
        insertVersion.run(next.priceVersion)
        event.run(...deltas, next.priceKind, Number(findVersion.get(next.priceVersion)?.id), after)
        const hourStart = calendar.hourStart(booked.atMs)
        const client = Number(tenantKey.get(booked.tenant)?.id)
        for (const [at, { find, put }] of rollups.entries()) {
          const bucket = rollupTables[at] === 'usage_day' ? calendar.dayStart(booked.atMs) : hourStart
          const key = rollupTables[at] === 'usage_tenant' ? client : Number(row.key)
          const known = find.get(bucket, key)?.sums
          // A bucket that retention has dropped already has nothing to correct.
          if (!(known instanceof Uint8Array)) continue
          const sums = noSums()
          decodeSums(known, sums)
          addToSums(sums, next.measures)
          addToSums(sums, booked.measures, -1)
          put.run(bucket, key, ...putValues(sums))
        }
        result.changed += 1
        result.differenceNanoUsd += next.measures.cost - booked.measures.cost
      }
      database.exec('COMMIT')
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
  }
}

function reprice(
  booked: BookedEvent,
  prices: Prices,
): { measures: Measures; priceKind: string; priceVersion: string } | null {
  const { measures: old } = booked
  // Nothing was charged: a cache hit, a refusal, an operation that is free.
  if (old.attempts === 0 || booked.usageSource === 'none') return null
  if (booked.priceKind === 'none' && old.unpricedAttempts === 0) return null
  const usage = usageOf(old)
  const price = prices.lookup(booked.modelServed, booked.atMs) ?? prices.lookup(booked.modelAsked, booked.atMs)
  const cost = price ? costOf(usage, booked.tier, price) : null
  const total = cost?.total ?? 0
  const long = price?.long ? old.prompt > price.long.above : false
  const guessed = booked.usageSource !== 'reported' || price?.kind === 'default'
  const plain = price ? costWithoutProviderCache(usage, booked.tier, price) : null
  const wasOverhead = booked.purpose !== 'client' || (old.overhead > 0 && old.overhead === old.cost)
  const measures: Measures = {
    ...old,
    unpricedAttempts: cost ? 0 : 1,
    defaultPricedAttempts: price?.kind === 'default' && cost ? 1 : 0,
    cost: total,
    costInput: cost?.input ?? 0,
    costCached: cost?.cached ?? 0,
    costOutput: cost?.output ?? 0,
    costThoughts: cost?.thoughts ?? 0,
    costToolUse: cost?.toolUse ?? 0,
    costGrounding: cost?.grounding ?? 0,
    estimatedCost: guessed ? total : 0,
    longAttempts: long && cost ? 1 : 0,
    longCost: long ? total : 0,
    providerCache: plain ? Math.max(0, plain.total - total) : 0,
    overhead: wasOverhead ? total : old.overhead,
    repeatCost: old.repeats > 0 ? total : 0,
  }
  return {
    measures,
    priceKind: cost && price ? price.kind : 'none',
    priceVersion: price?.version ?? prices.version,
  }
}

/** The modality of cached tokens is not kept; text first is how they are split without it. */
function usageOf(old: Measures): TokenUsage {
  return {
    promptTokens: old.prompt,
    cachedTokens: old.cached,
    candidateTokens: old.candidates,
    thoughtTokens: old.thoughts,
    toolUseTokens: old.toolUse,
    groundingQueries: old.groundingQueries,
    byModality: {
      prompt: { AUDIO: old.inputAudio, IMAGE: old.inputImage, VIDEO: old.inputVideo, DOCUMENT: old.inputDocument },
      candidates: { AUDIO: old.outputAudio, IMAGE: old.outputImage, VIDEO: old.outputVideo },
    },
  }
}
