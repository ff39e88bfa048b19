// What a ledger is: it takes events, and answers in sums. Two stores keep it, SQLite and Redis.
import type { Dimensions, UsageEvent } from './event.ts'
import type { Histogram } from './histogram.ts'
import type { Repriced } from './ledger-reprice.ts'
import type { Measures } from './measure.ts'
import type { Prices } from './prices.ts'

/** Sums over one bucket, one combination of dimensions, or both, as the query asked. */
export interface LedgerRow {
  /** Start of the local hour or day, ms since the epoch; null when the query grouped over time. */
  bucketMs: number | null
  /** null when the query grouped over everything. */
  dimensions: Dimensions | null
  measures: Measures
  /** Response times of settled calls, and times to the first byte, ms. Empty when the query leaves them out. */
  latency: Histogram
  firstByte: Histogram
}

export interface LedgerQuery {
  /** From this instant (inclusive) to that one (exclusive); both are widened to whole hours. */
  fromMs: number
  toMs: number
  /** `dimensions`: one row per combination · `day`, `hour`: one row per bucket */
  by: 'dimensions' | 'day' | 'hour'
  /** Only this tenant's events. */
  tenant?: string
  /** all (default) · sums: without times, whose histograms stay empty · headline: calls and cost alone, the fastest */
  detail?: 'all' | 'sums' | 'headline'
}

/** One booked event as a list of recent calls shows it. There is no content in it, because none is kept. */
export interface BookedEvent extends Dimensions {
  requestId: string
  attempt: number
  final: boolean
  atMs: number
  status: number
  usageSource: string
  priceKind: string
  priceVersion: string
  latencyMs: number | null
  firstByteMs: number | null
  measures: Measures
}

export interface LedgerState {
  /** Events taken and not yet committed. */
  pending: number
  /** Events lost because the store was away for longer than the bounds allow. */
  dropped: number
  /** Combinations of dimensions folded into `other` because a day had too many. */
  folded: number
  /** The store refuses; events wait in the journal. */
  failing: boolean
  lastError: string
  lastCommitMs: number | null
}

/** Days each grain is kept. */
export interface Retention {
  eventDays: number
  hourDays: number
  dayDays: number
}

export interface Ledger {
  /** Books an event. Never throws and never waits for the store; delivered twice it counts once. */
  record(event: UsageEvent): void
  /** Commits what is pending. Rejects when the store is away. */
  flush(): Promise<void>
  read(query: LedgerQuery): Promise<LedgerRow[]>
  /** The latest events, newest first. */
  recent(limit: number, tenant?: string): Promise<BookedEvent[]>
  /** Drops what is older than the retention says; returns how many rows went. */
  sweep(nowMs: number): Promise<number>
  /** Costs kept events of [fromMs, toMs) again with these prices; only stores that keep events can. */
  reprice?(fromMs: number, toMs: number, prices: Prices): Promise<Repriced>
  state(): LedgerState
  /** Commits and closes. */
  close(): Promise<void>
}
