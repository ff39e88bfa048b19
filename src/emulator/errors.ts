/** Google's errors, word for word where a recording or an issue shows the words. */
import type { JsonObject } from './json.ts'

/** One google.rpc.Status. */
export interface ErrorSpec {
  code: number
  status: string
  message: string
  details?: JsonObject[]
}

/** A google.rpc.Status on its way to the client. */
export class GeminiError extends Error {
  code: number
  status: string
  details: JsonObject[]

  constructor(spec: ErrorSpec) {
    super(spec.message)
    this.name = 'GeminiError'
    this.code = spec.code
    this.status = spec.status
    this.details = spec.details ?? []
  }
}

/** `{error: {...}}` as Google writes it: no `details` when there are none. */
export function errorBody(error: ErrorSpec): JsonObject {
  const body: JsonObject = { code: error.code, message: error.message, status: error.status }
  if (error.details && error.details.length > 0) body.details = error.details
  return { error: body }
}

const rpc = 'type.googleapis.com/google.rpc.'
const quotaHelp = {
  '@type': `${rpc}Help`,
  links: [
    { description: 'Learn more about Gemini API quotas', url: 'https://ai.google.dev/gemini-api/docs/rate-limits' },
  ],
}

/** One entry of google.rpc.BadRequest. */
export interface FieldViolation {
  field?: string
  description: string
}

/** 400 INVALID_ARGUMENT, optionally with BadRequest.fieldViolations. */
export function invalid(message: string, violations?: FieldViolation[]): GeminiError {
  const details = violations
    ? [{ '@type': `${rpc}BadRequest`, fieldViolations: violations.map((one) => ({ ...one })) }]
    : undefined
  return new GeminiError({ code: 400, status: 'INVALID_ARGUMENT', message, details })
}

/** 404 NOT_FOUND. */
export function notFound(message: string): GeminiError {
  return new GeminiError({ code: 404, status: 'NOT_FOUND', message })
}

/** 403 PERMISSION_DENIED. */
export function denied(message: string, details?: JsonObject[]): GeminiError {
  return new GeminiError({ code: 403, status: 'PERMISSION_DENIED', message, details })
}

/** Google's words for a model that is unknown, or that lacks the method. */
export function modelNotFound(name: string, version: string, method: string): GeminiError {
  return notFound(
    `${name} is not found for API version ${version}, or is not supported for ${method}. Call ModelService.ListModels to see the list of available models and their supported methods.`,
  )
}

const info = (reason: string, metadata: JsonObject) => ({
  '@type': `${rpc}ErrorInfo`,
  reason,
  domain: 'googleapis.com',
  metadata,
})
const service = { service: 'generativelanguage.googleapis.com' }

/** 400 API_KEY_INVALID (a wrong key is no 401 or 403 at Google). */
export function keyInvalid(): GeminiError {
  const message = 'API key not valid. Please pass a valid API key.'
  return new GeminiError({
    code: 400,
    status: 'INVALID_ARGUMENT',
    message,
    details: [info('API_KEY_INVALID', service), { '@type': `${rpc}LocalizedMessage`, locale: 'en-US', message }],
  })
}

/** 403 when no credential came at all. */
export function keyMissing(): GeminiError {
  return denied(
    "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
  )
}

/** 401 for a bearer token that is none of Google's. */
export function tokenInvalid(method: string): GeminiError {
  return new GeminiError({
    code: 401,
    status: 'UNAUTHENTICATED',
    message:
      'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.',
    details: [info('ACCESS_TOKEN_TYPE_UNSUPPORTED', { ...service, method })],
  })
}

/** Which quota a 429 names. */
export interface Quota {
  metric: string
  id: string
  limit: number
  model: string
  /** Seconds until the caller may ask again. */
  retryAfterS: number
}

/** 429 with Help, QuotaFailure and RetryInfo (recorded: ruby_llm 0118). */
export function quotaExceeded(quota: Quota): GeminiError {
  const metric = `generativelanguage.googleapis.com/${quota.metric}`
  return new GeminiError({
    code: 429,
    status: 'RESOURCE_EXHAUSTED',
    message: `You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your current usage, head to: https://ai.dev/rate-limit. \n* Quota exceeded for metric: ${metric}, limit: ${quota.limit}, model: ${quota.model}\nPlease retry in ${quota.retryAfterS}s.`,
    details: [
      quotaHelp,
      {
        '@type': `${rpc}QuotaFailure`,
        violations: [
          {
            quotaMetric: metric,
            quotaId: quota.id,
            quotaDimensions: { model: quota.model, location: 'global' },
            quotaValue: String(quota.limit),
          },
        ],
      },
      { '@type': `${rpc}RetryInfo`, retryDelay: `${Math.floor(quota.retryAfterS)}s` },
    ],
  })
}
