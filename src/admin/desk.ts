import { type AuditTrail, createAuditTrail } from './audit.ts'
import type { Sources } from './dashboard/sources.ts'
import { openPulse, type Pulse } from './pulse.ts'
import { createTraffic, type Traffic } from './traffic.ts'

/** State of one part of the house for `/service/health/`, in its own words. */
export interface PartHealth {
  status: 'ok' | 'degraded' | 'down'
  [figure: string]: unknown
}

/** The operator's desk: what is kept for looking at. */
export interface Desk {
  startedAtMs: number
  now(): number
  traffic: Traffic
  audit: AuditTrail
  pulse: Pulse
  /** parts of the house that have something to say of their health, by name; each domain adds its own */
  parts: Map<string, () => PartHealth | Promise<PartHealth>>
  /** where the dashboard takes what is not the traffic itself; each domain sets its own */
  sources: Partial<Sources>
  /** Whoever keeps something open for the desk ends it here. */
  onClose(end: () => void): void
  close(): void
}

/** @param now milliseconds since the epoch */
export function openDesk(now: () => number = Date.now): Desk {
  const pulse = openPulse(now)
  const ends: (() => void)[] = [pulse.close]
  return {
    startedAtMs: now(),
    now,
    traffic: createTraffic(now),
    audit: createAuditTrail(),
    pulse,
    parts: new Map(),
    sources: {},
    onClose: (end) => void ends.push(end),
    close() {
      for (const end of ends) end()
    },
  }
}
