import type { PartHealth } from '../admin/desk.ts'
import type { Guard } from './guard.ts'

/** Breakers and parked quotas for `/service/health/`; degraded while a model is left alone. */
export function guardHealth({ breakers, throttle }: Guard): PartHealth {
  const states = breakers.states()
  const isDegraded = states.some(({ state, forced }) => (forced ?? state) !== 'closed')
  const { parked, lastUntilMs } = throttle.state()
  return {
    status: isDegraded ? 'degraded' : 'ok',
    breakers: states.map(({ nextProbeAtMs, ...breaker }) => ({ ...breaker, nextProbeAt: iso(nextProbeAtMs) })),
    quotas: { parked, lastUntil: iso(lastUntilMs) },
  }
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
