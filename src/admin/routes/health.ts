import { Type } from 'typebox'
import type { House } from '../../house.ts'
import { version } from '../../version.ts'
import type { PartHealth } from '../desk.ts'
import { defineRoute } from '../route.ts'
import type { ModelHealth } from '../traffic.ts'

/** A part that does not answer in this time is shown as down; the others must not wait for it. */
const partTimeoutMs = 2_000

const instant = Type.Union([Type.String({ format: 'date-time' }), Type.Null()])
const model = Type.Object({
  model: Type.String(),
  lastSuccessAt: instant,
  lastFailureAt: instant,
  lastFailure: Type.Union([Type.String(), Type.Null()]),
  failuresInRow: Type.Integer({ description: 'failures since the last success' }),
})

export const showHealth = defineRoute({
  method: 'GET',
  path: '/service/health/',
  scope: 'read',
  summary: 'The process, its load, Gemini as seen from the traffic, and every part that has a state of its own',
  responseSchema: Type.Object({
    status: Type.Enum(['ok', 'degraded', 'draining'], { description: 'degraded: a part below is not ok' }),
    version: Type.String(),
    startedAt: Type.String({ format: 'date-time' }),
    uptimeSeconds: Type.Integer(),
    load: Type.Object({ inFlight: Type.Integer(), heldBodyBytes: Type.Integer(), liveSessions: Type.Integer() }),
    process: Type.Object({
      node: Type.String(),
      memory: Type.Object({ rssBytes: Type.Integer(), heapUsedBytes: Type.Integer(), externalBytes: Type.Integer() }),
      eventLoopDelay: Type.Object({
        meanMs: Type.Number(),
        p99Ms: Type.Number(),
        maxMs: Type.Number(),
        seconds: Type.Integer({ description: 'measured over this time' }),
      }),
    }),
    upstream: Type.Object({ url: Type.String(), lastSuccessAt: instant, models: Type.Array(model) }),
    parts: Type.Record(Type.String(), Type.Unknown()),
  }),
  handler: (_input, house) => health(house),
})

/** What `/service/health/` answers. */
async function health(house: House) {
  const { desk, lifecycle, load, liveSessions, settings } = house
  const parts = Object.fromEntries(
    await Promise.all([...desk.parts].map(async ([name, ask]) => [name, await answerOf(ask)] as const)),
  )
  const degraded = Object.values(parts).some(({ status }) => status !== 'ok')
  const { rss, heapUsed, external } = process.memoryUsage()
  return {
    status: lifecycle.draining ? 'draining' : degraded ? 'degraded' : 'ok',
    version,
    startedAt: new Date(desk.startedAtMs).toISOString(),
    uptimeSeconds: Math.floor((desk.now() - desk.startedAtMs) / 1000),
    load: { ...load, liveSessions: liveSessions.size },
    process: {
      node: process.version,
      memory: { rssBytes: rss, heapUsedBytes: heapUsed, externalBytes: external },
      eventLoopDelay: desk.pulse.read(),
    },
    upstream: { url: settings.current.upstream.url, ...upstreamHealth(desk.traffic.models()) },
    parts,
  }
}

function upstreamHealth(models: readonly ModelHealth[]) {
  const successes = models.map(({ lastSuccessAt }) => lastSuccessAt ?? 0)
  return {
    lastSuccessAt: iso(Math.max(0, ...successes) || null),
    models: models.map((health) => ({
      ...health,
      lastSuccessAt: iso(health.lastSuccessAt),
      lastFailureAt: iso(health.lastFailureAt),
    })),
  }
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}

/** A part that throws or hangs is down, and that is all that is told: its error may name what nobody should see. */
async function answerOf(ask: () => PartHealth | Promise<PartHealth>): Promise<PartHealth> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<PartHealth>((resolve) => {
    timer = setTimeout(() => resolve({ status: 'down', message: 'does not answer' }), partTimeoutMs)
  })
  try {
    return await Promise.race([ask(), late])
  } catch {
    return { status: 'down', message: 'failed to tell its state; the log has the cause' }
  } finally {
    clearTimeout(timer)
  }
}
