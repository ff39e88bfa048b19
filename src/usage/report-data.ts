// The shape of a report. Money in USD, shares 0 … 1, times in ms, null where there is nothing to tell.
import type { Grade } from './grade.ts'
import type { Group } from './group.ts'
import type { Outcome } from './outcome.ts'
import type { NetSavings } from './savings.ts'

export interface ErrorPattern {
  outcome: Outcome
  error: string
  model: string
  count: number
}

export interface SeriesPoint {
  /** YYYY-MM-DD of the day, or the hour of the day as 00 … 23. */
  label: string
  calls: number
  failedCalls: number
  costUsd: number
  netSavedUsd: number
}

export interface Percentiles {
  p50Ms: number | null
  p95Ms: number | null
  p99Ms: number | null
}

/** Everything a report holds. Money in USD, shares 0 … 1, null where there is nothing to tell. */
export interface Report {
  zone: string
  from: string
  /** The last day, inclusive. */
  to: string
  fromMs: number
  toMs: number
  days: number
  generatedAtMs: number
  tenant: string | null
  headline: {
    costUsd: number
    previousCostUsd: number
    costChange: number | null
    netSavedUsd: number
    calls: number
    callsChange: number | null
    costPerInteractionUsd: number | null
    /** Cost at the end of the running month, if the rest of it is like this period. */
    monthForecastUsd: number
  }
  grades: {
    hitRate: { value: number | null; grade: Grade }
    errorRate: { value: number | null; grade: Grade }
    /** The median time until an interaction was answered. */
    responseMs: { value: number | null; grade: Grade }
    costPerInteractionUsd: { value: number | null; grade: Grade }
  }
  calls: {
    total: number
    interactions: number
    succeeded: number
    failed: number
    refused: number
    clientErrors: number
    clientAborts: number
    attempts: number
    successRate: number | null
    errorRate: number | null
  }
  latency: Percentiles
  firstByte: Percentiles
  tokens: Record<
    | 'prompt'
    | 'cached'
    | 'candidates'
    | 'thoughts'
    | 'toolUse'
    | 'total'
    | 'saved'
    | 'trimmed'
    | 'audio'
    | 'image'
    | 'video'
    | 'document',
    number
  >
  cost: Record<'input' | 'cached' | 'output' | 'thoughts' | 'toolUse' | 'grounding' | 'total', number>
  cache: {
    hits: number
    lookups: number
    /** Of the calls that were looked up. */
    hitRate: number | null
    /** Of all interactions. */
    answeredShare: number | null
    bySource: Record<'exact' | 'semantic' | 'stale' | 'coalesced' | 'duplicate', number>
    misses: number
    expired: number
    bypassed: Record<'sampling' | 'excluded' | 'directive' | 'off', number>
  }
  savings: NetSavings
  errors: ErrorPattern[]
  reliability: { fallbacks: number; stale: number; templates: number; rateLimited: number; upstreamErrors: number }
  waste: { usd: number; share: number | null; byOutcome: { outcome: string; usd: number }[]; retriesUsd: number }
  by: Record<'model' | 'tenant' | 'tag' | 'interaction' | 'operation' | 'tier' | 'source', Group[]>
  byDay: SeriesPoint[]
  byHour: SeriesPoint[]
  growth: { kind: string; name: string; costUsd: number; change: number }[]
  quality: {
    /** Share of the cost that rests on estimated or incomplete usage, or on the default price. */
    estimatedShare: number | null
    estimatedAttempts: number
    partialAttempts: number
    unpricedAttempts: number
    defaultPricedAttempts: number
    pendingEvents: number
    droppedEvents: number
    foldedEvents: number
  }
}
