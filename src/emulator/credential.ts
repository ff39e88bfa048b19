/** Whose call it is: Google's order of credentials, and its refusals. */
import type { IncomingMessage } from 'node:http'
import { GeminiError, keyInvalid, keyMissing, tokenInvalid } from './errors.ts'
import type { Route } from './route.ts'

/** Decides whether a key is accepted. */
export type KeyCheck = (key: string) => boolean

/** The listed keys, or all but those whose name says that they are wrong. */
export function createKeyCheck(keys: string[] | undefined): KeyCheck {
  if (!keys) return (key) => !/^(bad|invalid)/i.test(key)
  const accepted = new Set(keys)
  return (key) => accepted.has(key)
}

/** The credential a call carries, wherever Google looks for one; undefined when there is none. */
export function credentialOf(request: IncomingMessage, route: Route | undefined): string | undefined {
  const header = request.headers['x-goog-api-key']
  if (typeof header === 'string' && header !== '') return header
  const query = route?.query.get('key')
  if (query) return query
  const authorization = /^(?:Bearer|Token)\s+(\S+)$/i.exec(request.headers.authorization ?? '')
  return authorization?.[1] ?? route?.query.get('access_token') ?? undefined
}

/** Throws 400 API_KEY_INVALID, 401 or 403 as Google would. OAuth tokens ("ya29.") pass wherever Google takes them. */
export function checkCredential(
  request: IncomingMessage,
  route: Route,
  key: string | undefined,
  accepts: KeyCheck,
): void {
  if (route.dialect === 'openai') {
    if (key !== undefined && accepts(key)) return
    if (key !== undefined) throw keyInvalid()
    throw new GeminiError({
      code: 400,
      status: 'INVALID_ARGUMENT',
      message: 'Missing or invalid Authorization header.',
    })
  }
  if (key === undefined) throw keyMissing()
  const bearer = request.headers['x-goog-api-key'] === undefined && !route.query.has('key')
  if (!accepts(key)) throw bearer ? tokenInvalid(methodName(route)) : keyInvalid()
  if (bearer && route.dialect !== 'vertex' && !key.startsWith('ya29.') && !key.startsWith('auth_tokens/')) {
    throw tokenInvalid(methodName(route))
  }
}

function methodName(route: Route): string {
  const name = route.operation.charAt(0).toUpperCase() + route.operation.slice(1)
  return `google.ai.generativelanguage.${route.version}.GenerativeService.${name}`
}
