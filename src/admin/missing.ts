import { nearest } from '../../config/suggest.ts'
import { GatewayError } from '../gemini/errors.ts'
import type { Endpoint } from './endpoint.ts'

export interface Missing {
  error: GatewayError
  /** value of the Allow header (RFC 9110 §15.5.6), null where no method is taken */
  allow: string | null
}

/**
 * Why nothing answers here: the path takes another method, or there is no such path.
 * @param path below the prefix, without query
 */
export function noSuchEndpoint(endpoints: readonly Endpoint[], method: string, path: string): Missing {
  const taken = new Set(endpoints.filter(({ url }) => matches(url, path)).map((endpoint) => endpoint.method))
  if (taken.size > 0) {
    const message = `This route of the admin API takes ${[...taken].join(' and ')}, not ${method}.`
    return { error: new GatewayError('CASTOR_METHOD_NOT_ALLOWED', message), allow: [...taken].join(', ') }
  }
  const guess = nearest(
    path,
    endpoints.map(({ url }) => url).filter((url) => url.endsWith('/') && url !== '/'),
  )
  const hint = guess === undefined ? 'GET /openapi.json describes what there is.' : `Did you mean ${guess}?`
  return { error: new GatewayError('CASTOR_NOT_FOUND', `The admin API has no such route. ${hint}`), allow: null }
}

function matches(template: string, path: string): boolean {
  const wanted = template.split('/')
  const given = path.split('/')
  return wanted.length === given.length && wanted.every((part, at) => part.startsWith(':') || part === given[at])
}
