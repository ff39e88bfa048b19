import { monitorEventLoopDelay } from 'node:perf_hooks'

/** How late the process's timers are: what every request waits besides its own work. */
export interface LoopDelay {
  meanMs: number
  p99Ms: number
  maxMs: number
  /** over how long this was measured */
  seconds: number
}

export interface Pulse {
  /** Of the last minute, or since it was read last when that is longer ago. */
  read(): LoopDelay
  close(): void
}

const windowMs = 60_000
// Fine enough for what a request feels, and some fifty timers a second cost nothing that could be measured.
const resolution = 20

/** Measures from now on; `close` ends it. */
export function openPulse(now: () => number): Pulse {
  const delay = monitorEventLoopDelay({ resolution })
  delay.enable()
  let since = now()
  return {
    read() {
      const elapsed = now() - since
      const reading = {
        meanMs: late(delay.mean),
        p99Ms: late(delay.percentile(99)),
        maxMs: late(delay.max),
        seconds: Math.round(elapsed / 1000),
      }
      if (elapsed >= windowMs) {
        delay.reset()
        since = now()
      }
      return reading
    },
    close: () => void delay.disable(),
  }
}

/** Node measures the whole interval in ns, the resolution included. */
function late(intervalNs: number): number {
  if (!Number.isFinite(intervalNs)) return 0
  return Math.max(0, Math.round((intervalNs / 1e6 - resolution) * 100) / 100)
}
