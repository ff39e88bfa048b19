/** Errors that a fault can name. */
import {
  denied,
  type ErrorSpec,
  GeminiError,
  invalid,
  keyInvalid,
  keyMissing,
  modelNotFound,
  quotaExceeded,
  tokenInvalid,
} from './errors.ts'

const plain = (code: number, status: string, message: string): (() => GeminiError) => {
  return () => new GeminiError({ code, status, message })
}

const named = {
  quotaPerMinute: (model: string) =>
    quotaExceeded({
      metric: 'generate_content_paid_tier_input_token_count',
      id: 'GenerateContentPaidTierInputTokensPerModelPerMinute',
      limit: 1_000_000,
      model,
      retryAfterS: 48.939935699,
    }),
  quotaPerDay: (model: string) =>
    quotaExceeded({
      metric: 'generate_content_free_tier_requests',
      id: 'GenerateRequestsPerDayPerProjectPerModel-FreeTier',
      limit: 250,
      model,
      retryAfterS: 32.4,
    }),
  quotaShort: plain(429, 'RESOURCE_EXHAUSTED', 'Resource has been exhausted (e.g. check quota).'),
  quotaSpend: plain(
    429,
    'RESOURCE_EXHAUSTED',
    'Your project has exceeded its spend limit for the last 10 minutes. Please try again later or raise your limit at https://aistudio.google.com/usage.',
  ),
  creditsEmpty: plain(402, 'RESOURCE_EXHAUSTED', 'Your prepayment credits are depleted.'),
  vertexExhausted: plain(429, 'RESOURCE_EXHAUSTED', 'Resource exhausted, please try again later.'),
  badRequest: () => invalid('Request contains an invalid argument.'),
  location: plain(400, 'FAILED_PRECONDITION', 'User location is not supported for the API use.'),
  tooLong: () => invalid('The input token count (1250074) exceeds the maximum number of tokens allowed (1048576).'),
  keyInvalid,
  keyMissing,
  tokenInvalid: () => tokenInvalid('google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent'),
  keyLeaked: () => denied('Your API key was reported as leaked. Please use another API key.'),
  modelGone: (model: string) => modelNotFound(`models/${model}`, 'v1beta', 'generateContent'),
  cancelled: plain(499, 'CANCELLED', 'The operation was cancelled.'),
  internal: plain(
    500,
    'INTERNAL',
    'An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting',
  ),
  overloaded: plain(503, 'UNAVAILABLE', 'The model is overloaded. Please try again later.'),
  highDemand: plain(
    503,
    'UNAVAILABLE',
    'This model is currently experiencing high demand. Spikes in demand are usually temporary. Please try again later.',
  ),
  deadline: plain(504, 'DEADLINE_EXCEEDED', 'Deadline expired before operation could complete.'),
} satisfies Record<string, (model: string) => GeminiError>

export type ErrorName = keyof typeof named

/** Builds the error a fault asks for; quota errors speak of `model`. */
export function namedError(error: ErrorName | ErrorSpec, model: string): GeminiError {
  return typeof error === 'string' ? named[error](model) : new GeminiError(error)
}

/** True when the name is one that `namedError` knows. */
export function isErrorName(name: string): name is ErrorName {
  return Object.hasOwn(named, name)
}
