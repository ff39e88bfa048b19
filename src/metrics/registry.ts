import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { isModelName } from '../gemini/model-name.ts'

/** What the gateway carries at this moment; each figure is kept by the plugin that causes it. */
export interface Load {
  /** requests in progress on Gemini's paths */
  inFlight: number
  /** bytes of request bodies in memory */
  heldBodyBytes: number
}

const seconds = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800]
const overheadSeconds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 1]

/**
 * The figures for Prometheus. Every label value comes from a bounded set: route templates, statuses, outcomes, and model names up to
 * `modelLimit` (see modelLabels); never a tenant, a path or a key.
 */
export function createMetrics(load: Load, liveSessions: ReadonlySet<unknown>) {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })
  gauge('castor_in_flight_requests', 'Requests in progress.', () => load.inFlight)
  gauge('castor_held_body_bytes', 'Bytes of request bodies held in memory.', () => load.heldBodyBytes)
  gauge('castor_live_sessions', 'Open Live websockets.', () => liveSessions.size)
  return {
    registry,
    requests: new Counter({
      name: 'castor_requests_total',
      help: 'Requests by route template, model, status and outcome.',
      labelNames: ['route', 'model', 'status', 'outcome', 'source'],
      registers,
    }),
    duration: new Histogram({
      name: 'castor_request_duration_seconds',
      help: 'From the arrival of the headers to the last byte of the answer.',
      labelNames: ['route', 'model'],
      buckets: seconds,
      registers,
    }),
    firstByte: new Histogram({
      name: 'castor_first_byte_seconds',
      help: 'From the arrival of the headers to the first byte of the answer.',
      labelNames: ['route', 'model'],
      buckets: seconds,
      registers,
    }),
    overhead: new Histogram({
      name: 'castor_overhead_seconds',
      help: 'What the gateway added before the first byte: all of it, less the wait for the upstream.',
      buckets: overheadSeconds,
      registers,
    }),
    tokens: new Counter({
      name: 'castor_tokens_total',
      help: 'Tokens that Gemini reported, by class; prompt includes cached.',
      labelNames: ['model', 'class'],
      registers,
    }),
    cost: new Counter({
      name: 'castor_cost_usd_total',
      help: 'What calls to Gemini came to, USD, by the tables in force.',
      labelNames: ['model'],
      registers,
    }),
    saved: new Counter({
      name: 'castor_saved_usd_total',
      help: 'What answers from memory and joined calls would have cost, USD, by the tables in force.',
      labelNames: ['source'],
      registers,
    }),
    unpriced: new Counter({
      name: 'castor_unpriced_models_total',
      help: 'Models met, per day, that no table has a price for.',
      registers,
    }),
    failures: new Counter({
      name: 'castor_errors_total',
      help: 'Errors that the gateway itself answered with, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    upstreamAttempts: new Counter({
      name: 'castor_upstream_attempts_total',
      help: 'Calls made to Gemini, by what became of them.',
      labelNames: ['result'],
      registers,
    }),
    cache: new Counter({
      name: 'castor_cache_requests_total',
      help: 'Model calls by what the cache did: exact, stale, coalesced, miss, bypass, shadow.',
      labelNames: ['result'],
      registers,
    }),
    cacheSavedSeconds: new Counter({
      name: 'castor_cache_saved_seconds_total',
      help: 'Time that Gemini took to give the answers which memory gave again.',
      registers,
    }),
    cacheRefusals: new Counter({
      name: 'castor_cache_refusals_total',
      help: 'Answers that were not kept, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    cacheCompared: new Counter({
      name: 'castor_cache_compared_total',
      help: 'Comparisons of remembered answers with real ones in shadow mode: agreed, differed, unread.',
      labelNames: ['result'],
      registers,
    }),
    droppedTaps: new Counter({
      name: 'castor_dropped_taps_total',
      help: 'Observers of answers that failed and were taken off.',
      labelNames: ['tap'],
      registers,
    }),
  }
}

export type Metrics = ReturnType<typeof createMetrics>

/**
 * Bounds the model names that become labels: clients choose them freely, and each would be a time series for ever. Only names that
 * Gemini has answered with 200 are taken, and only `limit` of them; the rest count as `other`.
 */
export function createModelLabels(limit: () => number): (model: string | null, accepted: boolean) => string {
  const known = new Set<string>()
  return (model, accepted) => {
    if (model === null) return ''
    if (known.has(model)) return model
    if (!accepted || known.size >= limit() || !isModelName(model)) return 'other'
    known.add(model)
    return model
  }
}
