import {
  type Breaker,
  type BreakerSettings,
  type BreakerState,
  createBreaker,
  type Force,
  type Verdict,
} from './breaker.ts'

/** A model of an upstream as operators see it. */
export interface ModelBreaker extends BreakerState {
  upstream: string
  model: string
  /** what its last failure was: a status of Gemini, or a reason of ours */
  reason: string | null
}

/** A call that was let through. */
export interface Permit {
  /** @param reason of a failure, for the operator */
  settle(verdict: Verdict, reason?: string): void
}

export interface Refusal {
  waitMs: number
  reason: string | null
}

export interface Breakers {
  ask(upstream: string, model: string): Permit | Refusal
  /** Opens or closes one by hand; null gives it back to the traffic. */
  force(upstream: string, model: string, force: Force): ModelBreaker
  /** Those that have something to tell, the latest first. */
  states(): ModelBreaker[]
  /** Takes up changed settings; what is forced stays forced. */
  reload(): void
  close(): void
}

export interface BreakersOptions {
  settings: () => BreakerSettings & { enabled: boolean }
  now: () => number
  random: () => number
  onChange: (breaker: { upstream: string; model: string; reason: string | null }, state: BreakerState['state']) => void
}

interface Entry {
  upstream: string
  model: string
  reason: string | null
  breaker: Breaker
}

/** Clients choose the names of models; a breaker that is forgotten begins anew. */
const maxBreakers = 500

/**
 * The breakers of all models. A model has one from its first failure on: while all is well, a call costs one look into an empty map.
 */
export function createBreakers(options: BreakersOptions): Breakers {
  const entries = new Map<string, Entry>()
  const nameOf = (upstream: string, model: string): string => `${upstream} ${model}`

  function entryOf(upstream: string, model: string): Entry {
    const name = nameOf(upstream, model)
    const known = entries.get(name)
    if (known !== undefined) return known
    const entry: Entry = { upstream, model, reason: null, breaker: breakerFor(() => entry) }
    entries.set(name, entry)
    if (entries.size > maxBreakers) drop()
    return entry
  }

  function breakerFor(entry: () => Entry): Breaker {
    const { settings, now, random, onChange } = options
    return createBreaker({ settings: settings(), now, random, onChange: (state) => onChange(entry(), state) })
  }

  /** Forgets the oldest that is closed and that nobody has forced, or else the oldest. */
  function drop(): void {
    const idle = [...entries].find(([, { breaker }]) => {
      const { state, forced } = breaker.state()
      return state === 'closed' && forced === null
    })
    const [name, entry] = idle ?? ([...entries][0] as [string, Entry])
    entries.delete(name)
    entry.breaker.close()
  }

  function shown({ upstream, model, reason, breaker }: Entry): ModelBreaker {
    return { upstream, model, reason, ...breaker.state() }
  }

  return {
    ask(upstream, model) {
      if (!options.settings().enabled) return free
      const entry = entries.size === 0 ? undefined : entries.get(nameOf(upstream, model))
      if (entry === undefined) {
        return {
          settle(verdict, reason) {
            if (verdict === 'neutral' || (verdict === 'success' && entries.size === 0)) return
            const since = verdict === 'failure' ? entryOf(upstream, model) : entries.get(nameOf(upstream, model))
            if (since !== undefined) settleWith(since, since.breaker.report, verdict, reason)
          },
        }
      }
      const asked = entry.breaker.ask()
      if ('waitMs' in asked) return { waitMs: asked.waitMs, reason: entry.reason }
      return { settle: (verdict, reason) => settleWith(entry, asked.settle, verdict, reason) }
    },
    force(upstream, model, force) {
      const entry = entryOf(upstream, model)
      entry.breaker.force(force)
      return shown(entry)
    },
    states: () => [...entries.values()].toReversed().map(shown),
    reload() {
      for (const entry of entries.values()) {
        const { forced } = entry.breaker.state()
        entry.breaker.close()
        entry.breaker = breakerFor(() => entry)
        if (forced !== null) entry.breaker.force(forced)
      }
    },
    close() {
      for (const { breaker } of entries.values()) breaker.close()
      entries.clear()
    },
  }
}

function settleWith(entry: Entry, settle: (verdict: Verdict) => void, verdict: Verdict, reason?: string): void {
  if (verdict === 'failure') entry.reason = reason ?? null
  settle(verdict)
}

const free: Permit = Object.freeze({ settle() {} })
