// What a request tells of where it comes from.
import type { IncomingHttpHeaders } from 'node:http'
import { isLoopback } from '../../config/loopback.ts'
import type { Knock } from './guard.ts'

export const sessionCookie = 'castor_session'

/** The id of the session that a Cookie header names; '' when none. */
export function sessionIn(cookie: string | undefined): string {
  for (const pair of (cookie ?? '').split(';')) {
    const equals = pair.indexOf('=')
    if (equals > 0 && pair.slice(0, equals).trim() === sessionCookie) return pair.slice(equals + 1).trim()
  }
  return ''
}

/**
 * Whether the connection comes from this machine and asks for it by a name of its own. A page of a website whose name has been pointed
 * at 127.0.0.1 comes from this machine too, but its Host gives it away.
 */
export function isFromHere({ socketAddress, headers }: Pick<Knock, 'socketAddress' | 'headers'>): boolean {
  const address = (socketAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, '')
  const host = (headers.host ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  return isLoopback(address) && isLoopback(host)
}

/** Headers that only proxies add. Who passed one may come from anywhere. */
export function cameThroughProxy(headers: IncomingHttpHeaders): boolean {
  return ['forwarded', 'via', 'x-real-ip'].some((name) => name in headers) || hasForwarded(headers)
}

function hasForwarded(headers: IncomingHttpHeaders): boolean {
  return Object.keys(headers).some((name) => name.startsWith('x-forwarded-'))
}

/**
 * Whether a browser that sends this shows a page of ours. Browsers put `Origin` on every request that is neither GET nor HEAD (Fetch
 * standard, "append a request Origin header"), and `Sec-Fetch-Site` on all of them; other clients put neither. The scheme is not compared:
 * a proxy may have ended TLS without saying so.
 * @param presence whether a request without Origin passes
 */
export function isSameOrigin({ headers, ownHosts }: Knock, presence: 'required' | 'if present'): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false
  const { origin } = headers
  if (origin === undefined) return presence === 'if present'
  const host = URL.parse(origin)?.host
  return host !== undefined && host !== '' && ownHosts.includes(host)
}
