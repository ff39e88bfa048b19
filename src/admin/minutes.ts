import { addSample, createHistogram, type Histogram } from '../usage/histogram.ts'

/** What a minute of model calls came to. */
export interface Minute {
  /** begin of the minute, ms since the epoch */
  startMs: number
  calls: number
  /** calls that failed by a fault of the service: 429 and 5xx of Gemini's, broken answers, faults of ours */
  errors: number
  /** calls that were answered from memory or by an equal call in flight */
  hits: number
  /** calls that were looked up and had to be asked */
  misses: number
  promptTokens: number
  cachedTokens: number
  candidateTokens: number
  thoughtTokens: number
  /** whole answers, ms */
  latency: Histogram
}

/** The last hour, minute by minute. */
export interface Minutes {
  /** The minute that is going on, to add to. */
  current(): Minute
  /** The last 60 minutes, oldest first, the one going on last; those without calls are there too. */
  all(): readonly Minute[]
}

const kept = 60
const minuteMs = 60_000

/** @param now milliseconds since the epoch */
export function createMinutes(now: () => number): Minutes {
  const ring: Minute[] = []
  return {
    current() {
      const startMs = Math.floor(now() / minuteMs) * minuteMs
      const last = ring.at(-1)
      // A clock that was set back adds to the minute it left.
      if (last !== undefined && last.startMs >= startMs) return last
      const fresh = emptyMinute(startMs)
      ring.push(fresh)
      if (ring.length > kept) ring.shift()
      return fresh
    },
    all() {
      const end = Math.max(Math.floor(now() / minuteMs) * minuteMs, ring.at(-1)?.startMs ?? 0)
      const known = new Map(ring.map((minute) => [minute.startMs, minute]))
      return Array.from({ length: kept }, (_, index) => {
        const startMs = end - (kept - 1 - index) * minuteMs
        return known.get(startMs) ?? emptyMinute(startMs)
      })
    },
  }
}

function emptyMinute(startMs: number): Minute {
  return {
    startMs,
    calls: 0,
    errors: 0,
    hits: 0,
    misses: 0,
    promptTokens: 0,
    cachedTokens: 0,
    candidateTokens: 0,
    thoughtTokens: 0,
    latency: createHistogram(),
  }
}

/** Adds a sample to a minute's latencies. */
export function addLatency(minute: Minute, ms: number): void {
  addSample(minute.latency, ms)
}
