import type { Config } from '../../config/schema.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { GatewayError } from '../gemini/errors.ts'
import type { Target } from '../gemini/target.ts'
import { type Breakers, type BreakersOptions, createBreakers, type Permit, type Refusal } from './breakers.ts'
import type { QuotaNews } from './quota.ts'
import { createThrottle, type Throttle } from './throttle.ts'

/** What keeps Gemini from being asked in vain: the breakers of its models, and the quotas that it has called spent. */
export interface Guard {
  readonly breakers: Breakers
  readonly throttle: Throttle
  /** @returns the leave to ask, or the error to answer with instead */
  admit(exchange: Exchange, upstream: string): Permit | GatewayError
  /**
   * Gemini has begun to refuse this call with 429. @returns what takes the news when its body is read: by then the exchange may have gone on
   * to another model
   */
  refusing(exchange: Exchange, upstream: string): (news: QuotaNews) => void
  /** Gemini has answered this call with 200. */
  answered(exchange: Exchange, upstream: string): void
  reload(): void
  close(): void
}

export interface GuardOptions {
  settings: () => Pick<Config, 'breaker' | 'throttle'>
  now: () => number
  random: () => number
  onBreaker: BreakersOptions['onChange']
  onParked: (call: { id: string; key: string; model: string | null }, news: QuotaNews, pauseMs: number) => void
}

export function createGuard({ settings, now, random, onBreaker, onParked }: GuardOptions): Guard {
  const breakers = createBreakers({ settings: () => settings().breaker, now, random, onChange: onBreaker })
  const throttle = createThrottle({ settings: () => settings().throttle, now, random })
  return {
    breakers,
    throttle,
    admit(exchange, upstream) {
      const parked = throttle.refusal(laneOf(exchange, upstream))
      if (parked !== null) return parked
      const asked = breakers.ask(upstream, exchange.model ?? '')
      return 'waitMs' in asked ? openError(asked) : asked
    },
    refusing(exchange, upstream) {
      const lane = laneOf(exchange, upstream)
      const call = { id: exchange.id, key: exchange.caller.keyId, model: exchange.model }
      return (news) => {
        const pauseMs = throttle.refused(lane, news)
        if (pauseMs > 0) onParked(call, news, pauseMs)
      }
    },
    answered: (exchange, upstream) => throttle.answered(laneOf(exchange, upstream)),
    reload: breakers.reload,
    close: breakers.close,
  }
}

/** Quotas are counted by model and kind of call. Key and name stay in memory. */
function laneOf({ model, target, caller }: Exchange, upstream: string): string {
  return `${upstream} ${model} ${kindOf(target)} ${caller.upstreamKey ?? caller.tenant}`
}

function kindOf({ operation }: Target): string {
  if (operation === 'countTokens') return 'count'
  return operation?.toLowerCase().includes('embed') ? 'embed' : 'generate'
}

/** The client is told what it would have heard from Gemini itself. */
function openError({ waitMs, reason }: Refusal): GatewayError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000))
  const last = reason === null ? '' : ` (last: ${reason})`
  return new GatewayError(
    'CASTOR_UPSTREAM_OPEN',
    `Gemini keeps failing for this model${last}, so it is left alone for a while. Please retry in ${seconds}s.`,
    { retryAfterSeconds: seconds },
  )
}
