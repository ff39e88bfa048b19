import type { Exchange } from '../exchange/exchange.ts'
import { modelName } from '../gemini/model-name.ts'
import type { Observation } from '../gemini/observe.ts'
import { addLatency, createMinutes, type Minute } from './minutes.ts'

/** One request as the dashboard lists it: nothing of what was said, and no key. */
export interface RecentCall {
  /** ms since the epoch, at its end */
  endedAtMs: number
  id: string
  /** the client's name, or a short hash of its key */
  key: string
  /** route template */
  route: string
  model: string | null
  status: number
  source: string
  outcome: string
  reason: string | null
  tokens: number
  ms: number
}

/** How a model has fared upstream; times in ms since the epoch. */
export interface ModelHealth {
  model: string
  lastSuccessAt: number | null
  lastFailureAt: number | null
  /** reason of ours or `HTTP` and status; null before the first failure */
  lastFailure: string | null
  /** failures since the last success */
  failuresInRow: number
}

/** What the operator sees of the traffic of the last hour; bounded, in memory, of this process only. */
export interface Traffic {
  /** Takes note of a request that is over. */
  note(exchange: Exchange, observation: Observation | null): void
  minutes(): readonly Minute[]
  /** The latest first. */
  recent(): RecentCall[]
  models(): ModelHealth[]
}

const maxRecent = 100
const maxModels = 100

/** @param now milliseconds since the epoch */
export function createTraffic(now: () => number): Traffic {
  const minutes = createMinutes(now)
  const recent: RecentCall[] = []
  const models = new Map<string, ModelHealth>()

  function noteModel(model: string, failure: string | null): void {
    const known = models.get(model)
    const health = known ?? { model, lastSuccessAt: null, lastFailureAt: null, lastFailure: null, failuresInRow: 0 }
    if (failure === null) Object.assign(health, { lastSuccessAt: now(), failuresInRow: 0 })
    else {
      Object.assign(health, { lastFailureAt: now(), lastFailure: failure })
      health.failuresInRow += 1
    }
    models.delete(model)
    models.set(model, health)
    const [oldest] = models.keys()
    if (models.size > maxModels && oldest !== undefined) models.delete(oldest)
  }

  return {
    note(exchange, observation) {
      const ms = performance.now() - exchange.startedAt
      const model = modelName(exchange.model)
      recent.push(describe(exchange, observation, model, now(), ms))
      if (recent.length > maxRecent) recent.shift()
      if (exchange.target.traffic !== 'model') return
      addCall(minutes.current(), exchange, observation, ms)
      if (model === null || exchange.outcome === 'client_abort' || !wasAsked(exchange)) return
      // What Gemini refuses as the client's fault says nothing of the model's health.
      if (isFault(exchange)) noteModel(model, exchange.failure ?? `HTTP ${exchange.statusCode}`)
      else if (exchange.statusCode === 200) noteModel(model, null)
    },
    minutes: () => minutes.all(),
    recent: () => recent.toReversed(),
    models: () => [...models.values()].toReversed(),
  }
}

function describe(
  exchange: Exchange,
  observation: Observation | null,
  model: string | null,
  endedAtMs: number,
  ms: number,
): RecentCall {
  return {
    endedAtMs,
    id: exchange.id,
    key: exchange.caller.keyId,
    route: exchange.target.route,
    model,
    status: exchange.statusCode,
    source: exchange.source,
    outcome: exchange.outcome ?? 'failed',
    reason: exchange.failure,
    tokens: observation?.usage.totalTokens ?? 0,
    ms: Math.round(ms),
  }
}

function addCall(minute: Minute, exchange: Exchange, observation: Observation | null, ms: number): void {
  minute.calls += 1
  if (isFault(exchange)) minute.errors += 1
  const { cache } = exchange
  if (cache === 'exact' || cache === 'stale' || cache === 'coalesced') minute.hits += 1
  else if (cache === 'miss') minute.misses += 1
  addLatency(minute, ms)
  const usage = observation?.usage
  if (usage === undefined) return
  minute.promptTokens += usage.promptTokens
  minute.cachedTokens += usage.cachedTokens
  minute.candidateTokens += usage.candidateTokens
  minute.thoughtTokens += usage.thoughtTokens
}

/** A fault of the service. A client that leaves, asks wrongly or meets its own limit is none (src/usage/outcome.ts). */
function isFault({ outcome, statusCode, failure }: Exchange): boolean {
  if (outcome === 'client_abort') return false
  if (outcome === 'upstream_broken' || statusCode >= 500) return true
  return statusCode === 429 && failure === null
}

function wasAsked({ source, failure }: Exchange): boolean {
  return source === 'upstream' || source === 'fallback' || (failure?.startsWith('CASTOR_UPSTREAM_') ?? false)
}
