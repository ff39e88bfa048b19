import { Gauge, type Registry } from 'prom-client'
import type { Guard } from './guard.ts'

const values = { closed: 0, 'half-open': 1, open: 2 } as const

/** Breakers beyond this many have no series of their own: their models' names come from clients. */
const maxSeries = 50

/** Adds what the guard knows to the figures for Prometheus. */
export function addGuardMetrics(registry: Registry, { breakers, throttle }: Guard): void {
  new Gauge({
    name: 'castor_breaker_state',
    help: 'Breakers of models that have failed: 0 closed, 1 half-open, 2 open; by hand or by traffic.',
    labelNames: ['upstream', 'model'],
    registers: [registry],
    collect() {
      this.reset()
      for (const { upstream, model, state, forced } of breakers.states().slice(0, maxSeries))
        this.set({ upstream, model }, values[forced ?? state])
    },
  })
  new Gauge({
    name: 'castor_parked_quotas',
    help: 'Keys and models that are not asked at the moment because Gemini has called a quota spent.',
    registers: [registry],
    collect() {
      this.set(throttle.state().parked)
    },
  })
}
