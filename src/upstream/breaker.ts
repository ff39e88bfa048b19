import CircuitBreaker from 'opossum'

/** success and failure are decided at the answer's first byte; neutral says nothing of the upstream's health. */
export type Verdict = 'success' | 'failure' | 'neutral'

/** One call that was let through. Only its first verdict counts, and a later failure of what began well. */
export interface Pass {
  settle(verdict: Verdict): void
}

export interface BreakerSettings {
  window: number
  minimumCalls: number
  failureRate: number
  openFor: number
  maxOpenFor: number
  probeTimeout: number
}

export type Force = 'open' | 'closed' | null

export interface BreakerState {
  state: 'closed' | 'open' | 'half-open'
  forced: Force
  /** ms since the epoch of the next probe; null when none is due */
  nextProbeAtMs: number | null
  /** times in a row that it opened without having closed in between */
  openings: number
}

export interface Breaker {
  /** Lets a call through, or says for how many ms it should not come. */
  ask(): Pass | { waitMs: number }
  /** Takes the outcome of a call that was let through before there was a breaker; counts while it is closed. */
  report(verdict: Verdict): void
  force(force: Force): void
  state(): BreakerState
  close(): void
}

export interface BreakerOptions {
  settings: BreakerSettings
  now: () => number
  /** 0 … 1 */
  random: () => number
  onChange: (state: BreakerState['state']) => void
}

/** What a caller is told to wait while a probe is out. */
const probingWaitMs = 1_000

/**
 * A breaker for one model of one upstream: opossum's window and states, with everything around it that opossum gets wrong
 * (facts: measured with 10.0.0; test/upstream-breaker.test.ts has one test for each).
 *
 * opossum never runs the call. It is told the outcome afterwards, so that its rate is over settled calls, neutral outcomes do not exist for
 * it, and it has neither timeout, capacity, abort controller nor filter. Who may probe, for how long, and which generation an outcome belongs
 * to is decided here.
 */
export function createBreaker({ settings, now, random, onChange }: BreakerOptions): Breaker {
  let openings = 0
  let nextProbeAtMs: number | null = null
  let forced: Force = null
  /** Raised by every change of state: what was let through before it decides nothing any more. */
  let generation = 0
  let probe: Pass | null = null
  let circuit = open()

  function open(): CircuitBreaker<[boolean], void> {
    const made = new CircuitBreaker((isFailure: boolean) => (isFailure ? Promise.reject(failed) : Promise.resolve()), {
      timeout: false,
      errorThresholdPercentage: settings.failureRate,
      volumeThreshold: settings.minimumCalls,
      rollingCountTimeout: settings.window,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      resetTimeout: settings.openFor,
    })
    // Its own listener, which starts the timer, is the first: the time has to be set before, at the end of the state it leaves.
    const { options } = made as unknown as { options: { resetTimeout: number } }
    options.resetTimeout = openMs()
    made.on('open', () => {
      openings += 1
      nextProbeAtMs = now() + options.resetTimeout
      options.resetTimeout = openMs()
      change('open')
    })
    made.on('halfOpen', () => {
      nextProbeAtMs = null
      change('half-open')
    })
    made.on('close', () => {
      openings = 0
      nextProbeAtMs = null
      // Its window still holds the failures of the outage: the next single one would open it again.
      circuit.shutdown()
      circuit = open()
      change('closed')
    })
    return made
  }

  /** Doubled with each opening in a row; up to a fifth of jitter, so that replicas do not probe in step. */
  function openMs(): number {
    const plain = Math.min(settings.openFor * 2 ** openings, settings.maxOpenFor)
    return Math.round(plain * (1 + random() / 5))
  }

  function change(state: BreakerState['state']): void {
    generation += 1
    probe = null
    onChange(state)
  }

  function tell(isFailure: boolean): void {
    // The promise only repeats what it was told.
    circuit.fire(isFailure).catch(() => {})
  }

  function pass(): Pass {
    const born = generation
    return {
      settle(verdict) {
        if (born === generation && verdict !== 'neutral') tell(verdict === 'failure')
      },
    }
  }

  function probing(): Pass {
    let isOver = false
    const born = generation
    const made: Pass = {
      settle(verdict) {
        if (isOver) return
        isOver = true
        clearTimeout(timer)
        if (born !== generation) return
        // A neutral answer says nothing: the next caller probes.
        probe = null
        if (verdict !== 'neutral') tell(verdict === 'failure')
      },
    }
    const timer = setTimeout(() => made.settle('failure'), settings.probeTimeout).unref()
    probe = made
    return made
  }

  return {
    ask() {
      if (forced === 'closed') return free
      if (forced === 'open') return { waitMs: settings.maxOpenFor }
      if (circuit.closed) return pass()
      if (circuit.opened) return { waitMs: Math.max(0, (nextProbeAtMs ?? 0) - now()) }
      return probe === null ? probing() : { waitMs: probingWaitMs }
    },
    report(verdict) {
      if (circuit.closed && verdict !== 'neutral') tell(verdict === 'failure')
    },
    force(next) {
      forced = next
      // Forced closed and then let go, it starts with a clean window.
      if (next === 'closed') circuit.close()
    },
    state: () => ({
      state: circuit.closed ? 'closed' : circuit.opened ? 'open' : 'half-open',
      forced,
      nextProbeAtMs,
      openings,
    }),
    close: () => circuit.shutdown(),
  }
}

/** Let through whatever comes of it. */
const free: Pass = Object.freeze({ settle() {} })

const failed = new Error('the call has failed')
