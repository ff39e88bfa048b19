import { GatewayError } from '../gemini/errors.ts'

/** Codes with which a connection ends before anything was asked of the upstream. */
const unreachable = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
  'ETIMEDOUT',
])

const timedOut = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])

/**
 * What a client is told of a failed call. The cause (with its internal address) goes to the log only.
 * @param error what undici or node:net reported
 */
export function upstreamFailure(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error
  const code = codeOf(error)
  if (timedOut.has(code)) {
    return lateFailure(error)
  }
  if (unreachable.has(code) || isTlsFailure(code)) {
    return new GatewayError('CASTOR_UPSTREAM_UNREACHABLE', 'Gemini cannot be reached at the moment. Please retry.', {
      cause: error,
      retryAfterSeconds: 1,
    })
  }
  return new GatewayError('CASTOR_UPSTREAM_BROKEN', 'The connection to Gemini broke before the answer was complete.', {
    cause: error,
  })
}

/** No answer began within the time it had. */
export function lateFailure(cause?: unknown): GatewayError {
  return new GatewayError('CASTOR_UPSTREAM_TIMEOUT', 'Gemini did not answer in time.', { cause })
}

/** An answer that failed before it had begun, and of which there are no words of Gemini's own to pass on. */
export function earlyFailure(): GatewayError {
  return new GatewayError('CASTOR_UPSTREAM_BROKEN', 'Gemini failed before its answer had begun. Please retry.')
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  if (typeof code === 'string' && code !== '') return code
  // A failed connection to a name with several addresses is an AggregateError of one failure per address.
  const first = (error as { errors?: unknown[] } | null)?.errors?.[0]
  return first === undefined ? '' : codeOf(first)
}

function isTlsFailure(code: string): boolean {
  return /^(?:CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA|HOSTNAME_MISMATCH)/.test(code)
}
