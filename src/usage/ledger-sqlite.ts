// The ledger of one process: events, hours and days in SQLite, written together, behind a journal that survives a kill.
import type { Calendar } from '../schedule/calendar.ts'
import type { Sqlite } from '../storage/sqlite.ts'
import type { UsageEvent } from './event.ts'
import type { Journal } from './journal.ts'
import type { Ledger, LedgerState, Retention } from './ledger.ts'
import { createReader, type Reader } from './ledger-read.ts'
import { repriceEvents } from './ledger-reprice.ts'
import { createWriter, type Writer } from './ledger-write.ts'

export interface SqliteLedgerOptions {
  /** Opens the file (openLedgerFile); called again after a failure. The ledger closes what it opened. */
  open: () => Sqlite
  /** Where events wait until they are committed; null keeps them in memory only (tests, a read-only disk). */
  journal: Journal | null
  /** Hours and days are those of this zone. A zone that changes leaves earlier buckets as they are. */
  calendar: Calendar
  retention: Retention
  now?: () => number
  /** A commit is due this long after the first event, or at once when `commitRows` are waiting. */
  commitMs?: number
  commitRows?: number
  /** Events kept in memory while the store is away; beyond it the oldest are kept in the journal alone. */
  maxPending?: number
  /** Combinations of dimensions kept apart per day. */
  maxCombinations?: number
  onError?: (error: unknown) => void
}

const firstRetryMs = 1_000
const longestRetryMs = 30_000

/**
 * Opens the ledger and books what a killed process left in the journal. Throws nothing when the store is away: it then
 * takes events into journal and memory, within bounds, and tries again every 1 … 30 s.
 */
export function createSqliteLedger(options: SqliteLedgerOptions): Ledger {
  const { journal, now = Date.now, commitMs = 250, commitRows = 200, maxPending = 10_000 } = options
  let database: Sqlite | null = null
  let writer: Writer | null = null
  let reader: Reader | null = null
  let pending: UsageEvent[] = []
  // true: the journal holds events that are not in `pending`, so it is the journal that has to be committed.
  let journalLeads = journal !== null && journal.bytes > 0
  let unsaved = 0
  let timer: NodeJS.Timeout | undefined
  let retryMs = firstRetryMs
  let closed = false
  const state = { dropped: 0, folded: 0, failing: false, lastError: '', lastCommitMs: null as number | null }

  function store(): { database: Sqlite; writer: Writer; reader: Reader } {
    if (database && writer && reader) return { database, writer, reader }
    const opened = options.open()
    try {
      writer = createWriter(opened.db, options.calendar, options.maxCombinations ?? 2_000)
      reader = createReader(opened.db, options.calendar)
    } catch (error) {
      opened.close()
      throw error
    }
    database = opened
    return { database, writer, reader }
  }

  function record(event: UsageEvent): void {
    if (closed) {
      state.dropped += 1
      return
    }
    const kept = journal?.append(JSON.stringify(event)) ?? false
    if (!kept) unsaved += 1
    pending.push(event)
    if (pending.length > maxPending) shed()
    schedule()
  }

  /** The memory is full because the store is away: the older half stays in the journal, or is lost and counted. */
  function shed(): void {
    const gone = pending.splice(0, Math.ceil(pending.length / 2))
    if (journal && unsaved === 0) journalLeads = true
    else state.dropped += gone.length
  }

  function schedule(): void {
    if (state.failing || closed) {
      arm(retryMs)
      return
    }
    // Only the event that fills the batch hurries the timer: each one after it would put the timer off again.
    arm(pending.length >= commitRows ? 0 : commitMs, pending.length === commitRows)
  }

  function arm(ms: number, sooner = false): void {
    if (timer && !sooner) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      timer = undefined
      try {
        commit()
      } catch {
        // Noted in the state by commit itself; the next attempt is already armed.
      }
    }, ms)
    timer.unref()
  }

  /** Commits everything that waits, oldest first; throws what the store threw, after arming the next attempt. */
  function commit(): void {
    clearTimeout(timer)
    timer = undefined
    if (pending.length === 0 && !journalLeads) return
    try {
      const target = store().writer
      const events = journalLeads && journal ? parseLines(journal.read()) : pending
      for (let at = 0; at < events.length; at += commitRows) writeSound(target, events.slice(at, at + commitRows))
      // What could not be journaled is in memory only; writing it again is harmless.
      if (journalLeads && unsaved > 0) writeSound(target, pending)
      pending = []
      unsaved = 0
      journalLeads = false
      journal?.clear()
      Object.assign(state, { failing: false, lastError: '', lastCommitMs: now(), folded: target.folded })
      retryMs = firstRetryMs
    } catch (error) {
      state.failing = true
      state.lastError = error instanceof Error ? error.message : String(error)
      options.onError?.(error)
      release()
      if (!closed) arm(retryMs)
      retryMs = Math.min(longestRetryMs, retryMs * 2)
      throw error
    }
  }

  /** Writes a chunk; an event that no table can take must not keep the others out for good: it is dropped and counted. */
  function writeSound(target: Writer, events: UsageEvent[]): void {
    try {
      target.write(events)
    } catch (error) {
      if (!isUnwritable(error)) throw error
      if (events.length > 1) {
        for (const event of events) writeSound(target, [event])
        return
      }
      state.dropped += events.length
      options.onError?.(error)
    }
  }

  function release(): void {
    try {
      database?.close()
    } catch {
      // It is being dropped because it failed; a second failure says nothing new.
    }
    database = null
    writer = null
    reader = null
  }

  // What an earlier process left is committed before anything is read.
  if (journalLeads) {
    try {
      commit()
    } catch {
      // The state says so, and the journal keeps it.
    }
  }

  return {
    record,
    async flush() {
      commit()
    },
    async read(query) {
      commit()
      return store().reader.read(query)
    },
    async recent(limit, tenant) {
      commit()
      return store().reader.recent(limit, tenant)
    },
    async sweep(nowMs) {
      return store().writer.sweep(nowMs, options.retention)
    },
    async reprice(fromMs, toMs, prices) {
      commit()
      return repriceEvents(store().database.db, options.calendar, prices, fromMs, toMs)
    },
    state(): LedgerState {
      return { ...state, pending: pending.length, dropped: state.dropped + (journal?.dropped ?? 0) }
    },
    async close() {
      if (closed) return
      try {
        commit()
      } finally {
        closed = true
        clearTimeout(timer)
        release()
        journal?.close()
      }
    },
  }
}

/** Is it the event's fault? A value of the wrong type, or one that SQLite refuses: TOOBIG, CONSTRAINT, MISMATCH, RANGE. */
function isUnwritable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof TypeError || error instanceof RangeError) return true
  return 'errcode' in error && [18, 19, 20, 25].includes(Number(error.errcode) & 0xff)
}

function parseLines(lines: string[]): UsageEvent[] {
  const events: UsageEvent[] = []
  for (const line of lines) {
    try {
      events.push(JSON.parse(line) as UsageEvent)
    } catch {
      // A line torn by a full disk was never acknowledged.
    }
  }
  return events
}
