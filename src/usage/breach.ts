// What a caller is told when a limit of gateway.yaml refuses a call.
import { GatewayError } from '../gemini/errors.ts'
import type { Breach, LimitKind } from './account.ts'

/** Quota ids in the manner of Google's, from which gemini-cli tells a minute's limit from a day's. */
const quotaIds: Record<LimitKind, string> = {
  requestsPerMinute: 'CastorRequestsPerMinute',
  tokensPerMinute: 'CastorTokensPerMinute',
  perDay: 'CastorBudgetPerDay',
  perMonth: 'CastorBudgetPerDayOfMonth',
}

const words: Record<LimitKind, string> = {
  requestsPerMinute: 'requests per minute',
  tokensPerMinute: 'tokens per minute',
  perDay: 'spending per day',
  perMonth: 'spending per month',
}

/**
 * The 429 for a breach: Retry-After and RetryInfo until there is room again, QuotaFailure with what is used up. The text of a minute's limit
 * has none of the words at which LangChain stops retrying; that of a spent budget has one, since a retry is of no use.
 */
export function breachError({ rule, limit }: Breach, retryAfterMs: number): GatewayError {
  const retryAfterSeconds = Math.max(1, Math.ceil(retryAfterMs / 1000))
  const isMoney = limit === 'perDay' || limit === 'perMonth'
  const message = isMoney
    ? `The budget "${rule}" of this gateway is spent (${words[limit]}); you exceeded your current quota until it begins anew in ${retryAfterSeconds}s.`
    : `The limit "${rule}" of this gateway on ${words[limit]} is reached. Please retry in ${retryAfterSeconds}s.`
  return new GatewayError(isMoney ? 'CASTOR_BUDGET_EXCEEDED' : 'CASTOR_RATE_LIMITED', message, {
    retryAfterSeconds,
    quotaId: quotaIds[limit],
  })
}

/** The value of `x-castor-budget`: which budget is nearly or wholly used, and how far. Names of budgets hold no character that a header may not. */
export function breachWarning({ rule, limit, share }: Breach): string {
  return `${rule}; limit=${limit}; used=${Math.round(share * 100)}%`
}
