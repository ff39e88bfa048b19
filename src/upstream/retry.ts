import type { Config } from '../../config/schema.ts'
import type { Exchange, Trouble } from '../exchange/exchange.ts'
import { headerValue } from '../gemini/headers.ts'

/** Decides whether a call that failed before its first byte is made once more. */
export interface Retries {
  /** whether any call may be retried */
  readonly allowed: boolean
  /** A client's call goes out: what it adds to the budget. */
  called(): void
  /** @returns ms to wait before the next attempt, or null when there is to be none; taken from the budget */
  next(exchange: Exchange, trouble: Trouble, rawHeaders: readonly string[]): number | null
}

export interface RetriesOptions {
  settings: () => Config['retry']
  /** 0 … 1 */
  random: () => number
}

/** Retries that are there before there was any traffic, and most that a quiet hour can save up for a bad one. */
const firstRetries = 3
const maxSaved = 10

const firstDelayMs = 100

/**
 * Retries by a budget, so that they never become the storm themselves: each call adds its share of one, each retry takes a whole one
 * (facts: Envoy's retry budget, 20 %).
 */
export function createRetries({ settings, random }: RetriesOptions): Retries {
  let saved = firstRetries

  return {
    get allowed() {
      return settings().max > 0
    },
    called() {
      if (saved < maxSaved) saved = Math.min(maxSaved, saved + settings().budget / 100)
    },
    next(exchange, trouble, rawHeaders) {
      const { max } = settings()
      const before = exchange.attempts - 1
      if (before >= max || saved < 1 || !isRetriable(exchange, trouble) || isRetryAlready(rawHeaders)) return null
      const delayMs = random() * firstDelayMs * 2 ** before
      const spentMs = performance.now() - exchange.startedAt
      if (spentMs + delayMs >= deadlineMs(rawHeaders, settings().within)) return null
      saved -= 1
      return delayMs
    },
  }
}

/** Only what Gemini has not done, and does not charge: a call that never reached it, and 500 and 503. */
function isRetriable({ target }: Exchange, trouble: Trouble): boolean {
  if ('reason' in trouble) return trouble.reason === 'CASTOR_UPSTREAM_UNREACHABLE'
  // An interaction is stored: one that failed halfway may be there.
  return (trouble.status === 500 || trouble.status === 503) && target.dialect !== 'interactions'
}

/** OpenAI's and Stainless' clients count their own retries: ours would multiply them. */
function isRetryAlready(rawHeaders: readonly string[]): boolean {
  return Number(headerValue(rawHeaders, 'x-stainless-retry-count') ?? 0) > 0
}

/** X-Server-Timeout is in seconds; Google's clients send it with their own timeout. */
function deadlineMs(rawHeaders: readonly string[], withinMs: number): number {
  const seconds = Number(headerValue(rawHeaders, 'x-server-timeout') ?? Number.NaN)
  return seconds > 0 ? Math.min(seconds * 1000, withinMs) : withinMs
}
