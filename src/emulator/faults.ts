/** The script of what goes wrong: rules that pick calls, and the faults they suffer. */
import { createHash } from 'node:crypto'
import type { ErrorSpec } from './errors.ts'
import type { ErrorName } from './named-errors.ts'

/** One thing that goes wrong. Positions count events of a stream; a unary answer is one event. */
export type Fault =
  /** An error instead of the answer. `retryAfter` adds the header, in seconds. */
  | { kind: 'error'; error: ErrorName | ErrorSpec; retryAfter?: number }
  /** Headers and body come this much later. */
  | { kind: 'delay'; ms: number }
  /** Headers come at once, the first event this much later. */
  | { kind: 'firstEvent'; ms: number }
  /** Nothing more after event k, for `ms` (default: for ever). */
  | { kind: 'stall'; afterEvents: number; ms?: number }
  /** The connection closes inside the event after event k: in the middle, or inside a UTF-8 character. */
  | { kind: 'cut'; afterEvents: number; where?: 'event' | 'utf8' }
  /** TCP reset: before the headers, or once this many bytes of the body were sent. */
  | { kind: 'reset'; afterBytes?: number }
  /** The connection closes in order, before any header. */
  | { kind: 'close' }
  /** The stream ends in order after event k, without finishReason. */
  | { kind: 'truncate'; afterEvents: number }
  /** The stream ends in order in the middle of the event after event k. */
  | { kind: 'halfEvent'; afterEvents: number }
  /** Google's mid-stream failure: after event k, a raw pretty-printed error, no `data:`. */
  | { kind: 'errorTail'; afterEvents: number; error?: ErrorName | ErrorSpec }
  /** usageMetadata is left out, or stands on the first chunk only. */
  | { kind: 'usage'; mode: 'missing' | 'early' }
  /** Content-Length differs from the body by this many bytes (unary only). */
  | { kind: 'contentLength'; delta: number }
  /** Compressed although the caller did not ask. */
  | { kind: 'gzip' }
  /** The prompt is refused: promptFeedback, no candidates, 200. */
  | { kind: 'block'; reason?: string }
  /** The answer stops early with this finishReason (SAFETY, MAX_TOKENS, RECITATION, CONTINUATION ...). */
  | { kind: 'finish'; reason: string }
  /** Live only: goAway after the setup, with the time that is left ("60s"). */
  | { kind: 'goAway'; timeLeft?: string }

/** Which calls a rule picks; absent fields match all. `*` in a name stands for anything. */
export interface FaultMatch {
  model?: string
  operation?: string
  key?: string
  /** Only the nth call that the rest picks, counted from 1. */
  nth?: number | number[]
  /** Chance from 0 to 1, decided by the emulator's seed and the call's number. */
  probability?: number
}

/** `times` bounds how often the rule strikes; default: always. */
export interface FaultRule {
  match?: FaultMatch
  fault: Fault | Fault[]
  times?: number
}

/** What a rule looks at. */
export interface Suspect {
  model: string | undefined
  operation: string
  key: string | undefined
}

export interface FaultScript {
  /** Adds a rule; the function returned takes it away again. */
  add(rule: FaultRule): () => void
  clear(): void
  /** Rules in force, in order. */
  readonly rules: readonly FaultRule[]
  /** Faults that this call suffers, in the order of the rules; counts the call. */
  take(call: Suspect): Fault[]
}

/** An empty script; `seed` decides probabilities. */
export function createFaults(seed: number): FaultScript {
  const entries: { rule: FaultRule; seen: number; struck: number }[] = []
  const none: Fault[] = []
  return {
    add(rule) {
      const entry = { rule, seen: 0, struck: 0 }
      entries.push(entry)
      return () => {
        const at = entries.indexOf(entry)
        if (at >= 0) entries.splice(at, 1)
      }
    },
    clear() {
      entries.length = 0
    },
    get rules() {
      return entries.map((entry) => entry.rule)
    },
    take(call) {
      if (entries.length === 0) return none
      const faults: Fault[] = []
      for (const entry of entries) {
        if (entry.struck >= (entry.rule.times ?? Number.POSITIVE_INFINITY)) continue
        const match = entry.rule.match ?? {}
        if (!named(match.model, call.model) || !named(match.operation, call.operation)) continue
        if (!named(match.key, call.key)) continue
        entry.seen++
        if (match.nth !== undefined && !(Array.isArray(match.nth) ? match.nth : [match.nth]).includes(entry.seen))
          continue
        if (match.probability !== undefined && chance(seed, entry.seen) >= match.probability) continue
        entry.struck++
        faults.push(...(Array.isArray(entry.rule.fault) ? entry.rule.fault : [entry.rule.fault]))
      }
      return faults
    },
  }
}

function named(pattern: string | undefined, value: string | undefined): boolean {
  if (pattern === undefined || pattern === '*') return true
  if (value === undefined) return false
  if (!pattern.includes('*')) return pattern === value
  const source = pattern.split('*').map((piece) => piece.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${source.join('.*')}$`).test(value)
}

function chance(seed: number, nth: number): number {
  return createHash('sha256').update(`${seed}:${nth}`).digest().readUInt32BE(0) / 2 ** 32
}
