import { type Calendar, createCalendar } from '../src/schedule/calendar.ts'
import type { AttemptEnd } from '../src/usage/attempt.ts'
import { type CallEnd, type CallStart, createCall } from '../src/usage/call.ts'
import type { UsageEvent } from '../src/usage/event.ts'
import type { Ledger } from '../src/usage/ledger.ts'
import { openLedgerFile } from '../src/usage/ledger-schema.ts'
import { createSqliteLedger, type SqliteLedgerOptions } from '../src/usage/ledger-sqlite.ts'
import { createPrices, type Prices } from '../src/usage/prices.ts'
import type { TokenUsage } from '../src/usage/tokens.ts'

/** A usage as Gemini reports it; what is not named is zero. */
export function usageOf(counts: Partial<TokenUsage>): TokenUsage {
  return {
    promptTokens: 0,
    cachedTokens: 0,
    candidateTokens: 0,
    thoughtTokens: 0,
    toolUseTokens: 0,
    source: 'reported',
    ...counts,
  }
}

export const utc = createCalendar('UTC')
export const prices = createPrices()
export const noon = Date.parse('2026-11-20T12:00:00Z')

/** A ledger in memory, or over what the options say. */
export function openLedger(options: Partial<SqliteLedgerOptions> = {}): Ledger {
  return createSqliteLedger({
    open: () => openLedgerFile(':memory:', () => {}),
    journal: null,
    calendar: utc,
    retention: { eventDays: 7, hourDays: 35, dayDays: 1000 },
    ...options,
  })
}

export interface Traffic extends Partial<Omit<CallStart, 'model'>> {
  model?: string
  atMs?: number
  /** Ends of the attempts; none: answered without Gemini. */
  attempts?: (Partial<AttemptEnd> & { on?: string })[]
  end?: Partial<CallEnd>
  prices?: Prices
}

let sequence = 0

/** Runs one call through its accounts and gives what was booked. */
export function eventsOf(traffic: Traffic = {}): UsageEvent[] {
  const { model = 'gemini-2.5-flash', atMs = noon, attempts = [], end = {} } = traffic
  const events: UsageEvent[] = []
  sequence += 1
  const call = createCall(
    {
      requestId: `request-${sequence}`,
      tenant: 'acme',
      tags: '',
      interaction: '',
      operation: 'generateContent',
      ...traffic,
      model,
    },
    { prices: traffic.prices ?? prices, book: (event) => events.push(event), now: () => atMs },
  )
  for (const { on, ...attempt } of attempts) call.attempt(on).finish({ outcome: 'completed', status: 200, ...attempt })
  call.finish({
    source: attempts.length > 0 ? 'upstream' : 'exact',
    outcome: attempts.at(-1)?.outcome ?? 'completed',
    status: 200,
    latencyMs: 500,
    firstByteMs: 100,
    ...end,
  })
  return events
}

/** Books the same call `times` times. */
export function book(ledger: Ledger, times: number, traffic: Traffic): void {
  for (let each = 0; each < times; each += 1) for (const event of eventsOf(traffic)) ledger.record(event)
}

export type { Calendar }
