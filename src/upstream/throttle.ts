import { GatewayError } from '../gemini/errors.ts'
import { createCalendar } from '../schedule/calendar.ts'
import type { QuotaNews } from './quota.ts'

/** What one key may ask of one model, once Gemini has said no. */
interface Lane {
  /** ms since the epoch; nothing is asked before */
  untilMs: number
  quotaId: string | null
  /** refusals in a row that did not say for how long */
  unclear: number
}

export interface ThrottleOptions {
  settings: () => { enabled: boolean; maxPause: number }
  /** ms since the epoch */
  now: () => number
  /** 0 … 1 */
  random: () => number
}

export interface Throttle {
  /** Why the lane is not to be asked now; null when it may be. */
  refusal(lane: string): GatewayError | null
  /** Gemini has refused with 429. Returns the ms for which nothing is asked now. */
  refused(lane: string, news: QuotaNews): number
  /** Gemini has answered. */
  answered(lane: string): void
  /** Lanes that wait, and the last moment for which one does. */
  state(): { parked: number; lastUntilMs: number | null }
  /** Lets all be asked again. */
  clear(): void
}

/** Beyond it the lane that was parked first is forgotten: Gemini itself will say no again. */
const maxLanes = 10_000

const firstBackoffMs = 1_000

/** Quotas of a day begin anew at midnight there (ai.google.dev/gemini-api/docs/rate-limits). */
const googleDays = createCalendar('America/Los_Angeles')

/**
 * Keeps what Gemini would refuse anyway from being asked. A lane is one key and one model of one upstream: a quota of the day parks it until
 * midnight Pacific, one of a minute for as long as Gemini says. A 429 that says neither may be meant for one call only (shared capacity), so
 * only the second in a row parks, with a full-jitter backoff.
 */
export function createThrottle({ settings, now, random }: ThrottleOptions): Throttle {
  const lanes = new Map<string, Lane>()

  function pauseMs(news: QuotaNews, unclear: number): number {
    if (news.kind === 'day') return googleDays.addDays(now(), 1) - now()
    if (news.delayMs !== null) return Math.min(news.delayMs, settings().maxPause)
    if (unclear < 2) return 0
    return Math.min(firstBackoffMs * 2 ** (unclear - 2), settings().maxPause) * (0.5 + random() / 2)
  }

  return {
    refusal(name) {
      // Most of the time nobody is parked.
      if (lanes.size === 0) return null
      const lane = lanes.get(name)
      if (lane === undefined || !settings().enabled) return null
      const waitMs = lane.untilMs - now()
      return waitMs > 0 ? parkedError(waitMs, lane.quotaId) : null
    },
    refused(name, news) {
      const lane = lanes.get(name)
      const unclear = news.kind === 'unclear' ? (lane?.unclear ?? 0) + 1 : 0
      // An answer that was on its way when the lane was parked must not shorten the wait.
      const untilMs = Math.max(now() + pauseMs(news, unclear), lane?.untilMs ?? 0)
      lanes.delete(name)
      lanes.set(name, { untilMs, quotaId: news.quotaId ?? lane?.quotaId ?? null, unclear })
      const [first] = lanes.keys()
      if (lanes.size > maxLanes && first !== undefined) lanes.delete(first)
      return Math.max(0, untilMs - now())
    },
    answered(name) {
      if (lanes.size === 0) return
      const lane = lanes.get(name)
      // A call sent before the refusal may come back well after it.
      if (lane !== undefined && lane.untilMs <= now()) lanes.delete(name)
    },
    state() {
      const waiting = [...lanes.values()].filter(({ untilMs }) => untilMs > now())
      const last = Math.max(0, ...waiting.map(({ untilMs }) => untilMs))
      return { parked: waiting.length, lastUntilMs: last || null }
    },
    clear: () => lanes.clear(),
  }
}

/** gemini-cli waits for RetryInfo and gives up at PerDay; langchain waits for Retry-After, unless the message speaks of billing. */
function parkedError(waitMs: number, quotaId: string | null): GatewayError {
  const seconds = Math.ceil(waitMs / 1000)
  return new GatewayError(
    'CASTOR_UPSTREAM_QUOTA',
    `Gemini takes no more of these calls for now: a quota of this key for this model is used up. Please retry in ${seconds}s.`,
    { retryAfterSeconds: seconds, ...(quotaId === null ? {} : { quotaId }) },
  )
}
