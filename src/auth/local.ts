import type { IncomingHttpHeaders } from 'node:http'
import { isLoopback } from '../../config/loopback.ts'

/**
 * Whether a request was meant for this machine by somebody on it. In shared mode no key is asked for, so a web page that the operator visits
 * could spend the gateway's: by a plain cross-site POST, which carries its `Origin`, or by a name of its own that it lets point to
 * 127.0.0.1 (DNS rebinding), which then stands in `Host`.
 */
export function isLocalRequest({ host, origin }: IncomingHttpHeaders): boolean {
  if (host !== undefined && !isLoopback(hostname(`http://${host}`))) return false
  return origin === undefined || isLoopback(hostname(origin))
}

/** '' where there is none, as in `Origin: null` of a sandboxed page: not this machine either. */
function hostname(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : ''
}
