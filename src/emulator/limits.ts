/** Quotas of one key and model in fixed minutes of the clock. */
import { quotaExceeded } from './errors.ts'
import type { Model } from './models.ts'

export interface Limits {
  /** False: there is nothing to count. */
  active: boolean
  /** Books one request; throws Google's 429 when the minute is spent. */
  spend(key: string, model: Model, promptTokens: number): void
  reset(): void
}

const minute = 60_000

/** `rpm` requests and `tpm` input tokens a minute; undefined sets no limit. */
export function createLimits(clock: () => number, rpm?: number, tpm?: number): Limits {
  let window = 0
  let spent = new Map<string, { requests: number; tokens: number }>()
  return {
    active: rpm !== undefined || tpm !== undefined,
    spend(key, model, promptTokens) {
      const now = clock()
      const current = Math.floor(now / minute)
      if (current !== window) {
        window = current
        spent = new Map()
      }
      const name = `${model.id}\n${key}`
      const used = spent.get(name) ?? { requests: 0, tokens: 0 }
      const retryAfterS = (minute - (now % minute)) / 1000
      if (rpm !== undefined && used.requests >= rpm) {
        throw quotaExceeded({
          metric: 'generate_content_paid_tier_requests',
          id: 'GenerateRequestsPerMinutePerProjectPerModel',
          limit: rpm,
          model: model.id,
          retryAfterS,
        })
      }
      if (tpm !== undefined && used.tokens + promptTokens > tpm) {
        throw quotaExceeded({
          metric: 'generate_content_paid_tier_input_token_count',
          id: 'GenerateContentPaidTierInputTokensPerModelPerMinute',
          limit: tpm,
          model: model.id,
          retryAfterS,
        })
      }
      used.requests++
      used.tokens += promptTokens
      spent.set(name, used)
    },
    reset: () => spent.clear(),
  }
}
