import type { Target } from './target.ts'

/** One row of the table of errors Castor itself makes; docs/errors.md is rendered from it. */
interface ErrorRow {
  readonly http: number
  /** google.rpc.Code name, what Google's SDKs call `status` */
  readonly status: string
  readonly when: string
  readonly remedy: string
}

/**
 * Every error Castor makes, by the `reason` of its ErrorInfo detail. Statuses are chosen by what clients do with them
 * (facts of SDK behaviour: 408, 429, 500, 502, 503 and 504 are retried by most, 400, 401, 403, 404 and 413 by none).
 */
export const errorTable = {
  CASTOR_BAD_REQUEST: {
    http: 400,
    status: 'INVALID_ARGUMENT',
    when: 'The request is not valid HTTP: bad percent-encoding, two Host headers, a control character, a broken chunk.',
    remedy: 'Send one Host header and a correctly encoded URL. The message names the part that is wrong.',
  },
  CASTOR_BAD_HEADER: {
    http: 400,
    status: 'INVALID_ARGUMENT',
    when: 'An `x-castor-…` request header has a value that cannot be read.',
    remedy: 'The message names the header and the form it takes; without the header the request passes.',
  },
  CASTOR_KEY_MISSING: {
    http: 403,
    status: 'PERMISSION_DENIED',
    when: 'The request carries no API key, neither in `x-goog-api-key`, `?key=` nor `Authorization: Bearer`.',
    remedy: 'Give the client its Gemini key, or the key that the gateway issued to it.',
  },
  CASTOR_KEY_UNKNOWN: {
    http: 401,
    status: 'UNAUTHENTICATED',
    when: 'The gateway issues its own keys (`clients:` in gateway.yaml) and this is none of them.',
    remedy: 'Ask the operator for a key (`castor keys create NAME`). A Gemini key is not accepted in this mode.',
  },
  CASTOR_NOT_LOCAL: {
    http: 403,
    status: 'PERMISSION_DENIED',
    when: "The gateway serves everybody on its machine with its own key (auth.mode: shared), and the request's `Host` or `Origin` is not of this machine: a web page may be behind it.",
    remedy: 'Ask for 127.0.0.1 or localhost, or issue keys (`castor keys create NAME`).',
  },
  CASTOR_KEY_MISPLACED: {
    http: 400,
    status: 'INVALID_ARGUMENT',
    when: 'A key that the gateway issued stands in the path or in a query parameter other than `key`, which go up to Gemini as they are.',
    remedy:
      'Send the key as `x-goog-api-key`, `?key=` or `Authorization: Bearer`, and replace it: the URL may have been logged.',
  },
  CASTOR_UPLOAD_UNKNOWN: {
    http: 403,
    status: 'PERMISSION_DENIED',
    when: 'An upload session is continued without a key and without the proof that Castor put into its upload URL, or by another caller.',
    remedy: 'Continue the upload at exactly the URL that the first step returned, or start it again.',
  },
  CASTOR_BAD_PARAMETER: {
    http: 400,
    status: 'INVALID_ARGUMENT',
    when: 'A call of the admin API has a parameter or a field that the route does not know, or with a value it cannot have.',
    remedy: 'The message names the field and what would be right; `/openapi.json` describes every route.',
  },
  CASTOR_BAD_SETTINGS: {
    http: 400,
    status: 'FAILED_PRECONDITION',
    when: 'A reload was asked for, and the settings file has mistakes. The settings in force stay.',
    remedy: 'The details name every mistake with its line; `castor check` shows the same.',
  },
  CASTOR_ADMIN_UNAUTHORIZED: {
    http: 401,
    status: 'UNAUTHENTICATED',
    when: 'A call of the admin API carries no admin token, or a wrong one.',
    remedy: 'Send `admin.token` as `Authorization: Bearer …`, or sign in on the dashboard.',
  },
  CASTOR_ADMIN_FORBIDDEN: {
    http: 403,
    status: 'PERMISSION_DENIED',
    when: 'The admin API knows the caller and does not allow this: a read token that wants to change something, a page of another origin, another machine while no token is set.',
    remedy: 'Use `admin.token`; the message says what was missing.',
  },
  CASTOR_ADMIN_RATE_LIMITED: {
    http: 429,
    status: 'RESOURCE_EXHAUSTED',
    when: 'Too many wrong admin tokens came from this address.',
    remedy: 'Wait for the time in Retry-After; every token from this address is refused until then, the right one too.',
  },
  CASTOR_NOT_FOUND: {
    http: 404,
    status: 'NOT_FOUND',
    when: 'A path of the gateway itself (health, metrics, admin) does not exist.',
    remedy: 'See docs for the routes; Gemini paths begin with /v1, /v1beta, /v1alpha, /upload, /download or /ws.',
  },
  CASTOR_METHOD_NOT_ALLOWED: {
    http: 405,
    status: 'UNIMPLEMENTED',
    when: 'A path was asked with an HTTP method that no API of Gemini has, or that a route of the admin API does not take.',
    remedy: 'Use GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS; in the admin API the method that the message names.',
  },
  CASTOR_BODY_TIMEOUT: {
    http: 408,
    status: 'DEADLINE_EXCEEDED',
    when: 'The client stopped sending its request body (`limits.bodyIdle`) or its headers (`server.headersTimeout`).',
    remedy: 'Send the body without long pauses, or raise the setting.',
  },
  CASTOR_BODY_TOO_LARGE: {
    http: 413,
    status: 'INVALID_ARGUMENT',
    when: 'The body is larger than `limits.body` (model calls) or `limits.upload` (everything else).',
    remedy: 'Upload large media with the Files API and refer to it, or raise the limit.',
  },
  CASTOR_BODY_INCOMPLETE: {
    http: 400,
    status: 'INVALID_ARGUMENT',
    when: 'The connection ended before the whole body that Content-Length promised had arrived.',
    remedy: 'Send as many bytes as Content-Length says.',
  },
  CASTOR_URL_TOO_LONG: {
    http: 414,
    status: 'INVALID_ARGUMENT',
    when: 'Path and query are longer than `limits.urlLength`.',
    remedy: 'Move data from the URL into the body, or raise the limit.',
  },
  CASTOR_HEADERS_TOO_LARGE: {
    http: 431,
    status: 'INVALID_ARGUMENT',
    when: 'Request line and headers together are larger than the gateway reads.',
    remedy: 'Move data from the URL or the headers into the body.',
  },
  CASTOR_RATE_LIMITED: {
    http: 429,
    status: 'RESOURCE_EXHAUSTED',
    when: 'A limit on requests or tokens per minute of `budgets` in gateway.yaml is reached.',
    remedy: 'Retry after the time in Retry-After; the operator can raise the limit.',
  },
  CASTOR_BUDGET_EXCEEDED: {
    http: 429,
    status: 'RESOURCE_EXHAUSTED',
    when: 'A daily or monthly budget of `budgets` in gateway.yaml is spent.',
    remedy: 'Wait for the next day or month (Retry-After says how long), or ask the operator to raise the budget.',
  },
  CASTOR_OVERLOADED: {
    http: 503,
    status: 'UNAVAILABLE',
    when: 'The gateway holds as many requests or request bytes as it may (`limits.inFlight`, `limits.bufferedBytes`).',
    remedy: 'Retry after the time in Retry-After; raise the limits or run more replicas if it lasts.',
  },
  CASTOR_DRAINING: {
    http: 503,
    status: 'UNAVAILABLE',
    when: 'The gateway is shutting down and takes no new calls.',
    remedy: 'Retry; another replica, or the restarted gateway, will answer.',
  },
  CASTOR_UPSTREAM_UNREACHABLE: {
    http: 503,
    status: 'UNAVAILABLE',
    when: 'No connection to Gemini could be made: refused, no route, name not found, TLS certificate not valid.',
    remedy:
      'Retry. Operators: the log has the cause; check `upstream.url`, DNS, the egress firewall and `upstream.caFile`.',
  },
  CASTOR_UPSTREAM_BROKEN: {
    http: 502,
    status: 'UNAVAILABLE',
    when: 'Gemini closed the connection before its answer, or in the middle of it, or answered something that is not HTTP.',
    remedy: 'Retry. In the middle of a stream what came before is incomplete and must not be used as an answer.',
  },
  CASTOR_UPSTREAM_TIMEOUT: {
    http: 504,
    status: 'DEADLINE_EXCEEDED',
    when: 'Gemini sent no first byte within `upstream.firstByteTimeout`, or paused longer than `upstream.idleTimeout`.',
    remedy: 'Retry, or raise the setting for models that think long.',
  },
  CASTOR_UPSTREAM_QUOTA: {
    http: 429,
    status: 'RESOURCE_EXHAUSTED',
    when: 'Gemini has refused this key and model with 429, and the time it named is not over (`throttle`). Gemini was not asked again.',
    remedy:
      'Retry after the time in Retry-After. QuotaFailure names the quota; one of the day begins anew at midnight Pacific.',
  },
  CASTOR_UPSTREAM_OPEN: {
    http: 503,
    status: 'UNAVAILABLE',
    when: 'This model of Gemini has kept failing, so it is left alone until the next probe (`breaker`). Gemini was not asked.',
    remedy:
      'Retry after the time in Retry-After. Operators: GET /service/health/ shows state and reason; POST /breaker/ opens or closes it.',
  },
  CASTOR_NOT_IN_CACHE: {
    http: 504,
    status: 'DEADLINE_EXCEEDED',
    when: 'The request said `Cache-Control: only-if-cached`, and memory has no answer that it may be given.',
    remedy: 'Ask without only-if-cached.',
  },
  CASTOR_USAGE_UNAVAILABLE: {
    http: 503,
    status: 'UNAVAILABLE',
    when: 'Admin API: the books cannot be read at the moment, or `metering.enabled` is false.',
    remedy: 'GET /service/health/ tells the state of the part `usage`; calls are answered and noted meanwhile.',
  },
  CASTOR_MAIL_FAILED: {
    http: 502,
    status: 'UNAVAILABLE',
    when: 'Admin API: a report could not be sent: the mail server cannot be reached, or refused login or message.',
    remedy: 'Check the section `mail` of gateway.yaml; the message says what the server did.',
  },
  CASTOR_INTERNAL: {
    http: 500,
    status: 'INTERNAL',
    when: 'A fault of the gateway itself.',
    remedy: 'Please report it with the x-castor-request-id of the answer; the log has the cause under that id.',
  },
} as const satisfies Record<string, ErrorRow>

export type ErrorReason = keyof typeof errorTable

/** An error Castor answers with. Its message is shown to the client: it never holds a key, an address or a prompt. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly reason: ErrorReason
  /** seconds for `Retry-After` and RetryInfo; null where a retry is of no use or its time unknown */
  readonly retryAfterSeconds: number | null
  /** what is wrong with which field, for BadRequest */
  readonly violations: readonly FieldViolation[]
  /** id of the quota that is used up, for QuotaFailure; gemini-cli gives up for the day when it holds `PerDay` */
  readonly quotaId: string | null

  constructor(
    reason: ErrorReason,
    message: string,
    options: {
      cause?: unknown
      retryAfterSeconds?: number
      violations?: readonly FieldViolation[]
      quotaId?: string
    } = {},
  ) {
    super(message, { cause: options.cause })
    this.reason = reason
    this.retryAfterSeconds = options.retryAfterSeconds ?? null
    this.violations = options.violations ?? []
    this.quotaId = options.quotaId ?? null
  }
}

/** google.rpc.BadRequest.FieldViolation */
export interface FieldViolation {
  field: string
  description: string
}

/** The body forms in which clients understand an error. */
export type ErrorShape = 'native' | 'openai' | 'array'

/** The form of error that the client of a target parses. */
export function errorShape(target: Pick<Target, 'dialect' | 'framing'> | null): ErrorShape {
  if (target?.dialect === 'openai') return 'openai'
  return target?.framing === 'array' ? 'array' : 'native'
}

export interface RenderedError {
  statusCode: number
  headers: Record<string, string>
  body: string
}

/**
 * Renders an error of ours as Gemini would: pretty-printed google.rpc.Status, wrapped in an array for JSON-array streams,
 * OpenAI's error object on the OpenAI surface.
 */
export function renderError(error: GatewayError, shape: ErrorShape): RenderedError {
  const { http, status } = errorTable[error.reason]
  const headers: Record<string, string> = { 'content-type': 'application/json; charset=UTF-8' }
  if (error.retryAfterSeconds !== null) headers['retry-after'] = String(Math.max(1, Math.ceil(error.retryAfterSeconds)))
  return { statusCode: http, headers, body: `${errorBody(error, http, status, shape)}\n` }
}

function errorBody(error: GatewayError, code: number, status: string, shape: ErrorShape): string {
  if (shape === 'openai') {
    const type = code === 429 ? 'rate_limit_error' : code >= 500 ? 'server_error' : 'invalid_request_error'
    return JSON.stringify({ error: { message: error.message, type, code: error.reason, param: null } }, null, 2)
  }
  const details: object[] = [
    { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: error.reason, domain: 'castor' },
  ]
  if (error.quotaId !== null) {
    details.push({ '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaId: error.quotaId }] })
  }
  if (error.retryAfterSeconds !== null) {
    details.push({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${error.retryAfterSeconds}s` })
  }
  if (error.violations.length > 0) {
    details.push({ '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: error.violations })
  }
  const body = { error: { code, message: error.message, status, details } }
  return JSON.stringify(shape === 'array' ? [body] : body, null, 2)
}

/** The raw tail with which Google itself ends a stream that fails after its first event (no `data:`, pretty-printed). */
export function streamErrorTail(error: GatewayError): Buffer {
  const { status } = errorTable[error.reason]
  // Clients know a broken stream as 503, whatever its cause on our side (facts: typed ApiError 503 in every SDK).
  const body = {
    error: { code: 503, message: error.message, status: status === 'DEADLINE_EXCEEDED' ? status : 'UNAVAILABLE' },
  }
  return Buffer.from(`${JSON.stringify(body, null, 2)}\n`)
}
