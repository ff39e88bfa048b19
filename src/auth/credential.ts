import type { IncomingHttpHeaders } from 'node:http'
import type { Target } from '../gemini/target.ts'

/** Where a client put its credential. */
export type CredentialPlace = 'header' | 'query' | 'bearer' | 'token'

export interface Credential {
  readonly value: string
  readonly place: CredentialPlace
}

/**
 * The credential of a request: `x-goog-api-key`, `?key=`, `Authorization: Bearer`, or an ephemeral Live token
 * (`?access_token=auth_tokens/…`, `Authorization: Token auth_tokens/…`), in this order. An empty value is none.
 */
export function findCredential(headers: IncomingHttpHeaders, target: Target): Credential | null {
  const header = headers['x-goog-api-key']
  // Node joins duplicates of unknown headers with ', ': no key has a comma, so the joined text is simply unknown to everyone.
  if (typeof header === 'string' && header !== '') return { value: header, place: 'header' }
  if (target.queryKey !== null) return { value: target.queryKey, place: 'query' }
  const authorization = headers.authorization
  if (authorization !== undefined) {
    const bearer = /^Bearer +(\S+) *$/i.exec(authorization)
    if (bearer?.[1]) return { value: bearer[1], place: 'bearer' }
    const token = /^Token +(\S+) *$/i.exec(authorization)
    if (token?.[1]) return { value: token[1], place: 'token' }
  }
  return target.accessToken ? { value: target.accessToken, place: 'token' } : null
}

/** What `Authorization` holds, without the scheme of a Bearer token; null when there is none. */
export function bearerOf(headers: IncomingHttpHeaders): string | null {
  return headers.authorization?.replace(/^Bearer +/i, '').trimEnd() ?? null
}
