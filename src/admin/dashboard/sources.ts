// Where the dashboard's sections take their figures from. What is optional comes with a domain of its own: `desk.sources` is where it
// puts its function, and until then its section is not shown.
import type { House } from '../../house.ts'
import type { SeriesPoint } from '../../usage/report-data.ts'
import type { Suggestion } from '../../usage/suggest.ts'
import type { AuditEntry } from '../audit.ts'
import type { Minute } from '../minutes.ts'
import type { ModelHealth, RecentCall } from '../traffic.ts'

type Later<Value> = Value | Promise<Value>

export interface Breaker {
  name: string
  state: 'closed' | 'open' | 'half-open'
  /** share of failed calls in its window, 0 to 1; null before there are any */
  failureRate: number | null
  /** ms since the epoch; null while it is closed */
  retryAtMs: number | null
}

export interface BudgetState {
  rule: string
  /** tenant or tag; '' for everybody */
  subject: string
  period: 'minute' | 'day' | 'month'
  /** used share of the limit, reservations included; 1 is full */
  share: number
  /** share from which answers carry a warning */
  softShare: number
  usedText: string
  limitText: string
}

export interface BatchState {
  id: string
  name: string
  state: string
  total: number
  done: number
  failed: number
  /** ms since the epoch; null when unknown or over */
  readyAtMs: number | null
}

export interface CacheState {
  entries: number
  maxEntries: number
  bytes: number
  evictions: number
  /** measured share of wrong answers among semantic hits; null while there are none */
  semanticErrorRate: number | null
}

export interface Sources {
  /** the last 60 minutes, oldest first */
  minutes(): readonly Minute[]
  recent(): readonly RecentCall[]
  models(): readonly ModelHealth[]
  changes(): readonly AuditEntry[]
  load(): { inFlight: number; liveSessions: number }
  /** cost and net savings by calendar day, oldest first */
  days?(): Later<readonly SeriesPoint[]>
  cache?(): Later<CacheState>
  breakers?(): Later<readonly Breaker[]>
  budgets?(): Later<readonly BudgetState[]>
  batches?(): Later<readonly BatchState[]>
  suggestions?(): Later<readonly Suggestion[]>
}

const shownChanges = 20

export function sourcesOf({ desk, load, liveSessions }: House): Sources {
  return {
    minutes: desk.traffic.minutes,
    recent: desk.traffic.recent,
    models: desk.traffic.models,
    changes: () => desk.audit.entries(shownChanges),
    load: () => ({ inFlight: load.inFlight, liveSessions: liveSessions.size }),
    ...desk.sources,
  }
}
