import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import { Agent } from 'undici'
import type { Config } from '../../config/schema.ts'

/** What every call upstream is limited by, in milliseconds. */
export interface UpstreamLimits {
  firstByteTimeoutMs: number
  idleTimeoutMs: number
}

/**
 * Opens the connection pool to Gemini: TLS verified, redirects not followed, HTTP/1.1 (measured: HTTP/2 costs 3.8 times the CPU, and one
 * stalled connection would hold up every stream on it), no pipelining, every wait limited. Close it with `agent.close()`.
 */
export function openAgent(settings: Config['upstream']): Agent {
  return new Agent({
    connections: settings.connections,
    pipelining: 1,
    allowH2: false,
    headersTimeout: settings.firstByteTimeout,
    bodyTimeout: settings.idleTimeout,
    // Shorter than the 240 s after which Google's front end closes an idle connection, so that a call never meets one just closing.
    keepAliveTimeout: 60_000,
    keepAliveMaxTimeout: 120_000,
    maxHeaderSize: 64 * 1024,
    connect: {
      timeout: settings.connectTimeout,
      keepAlive: true,
      ...(settings.caFile === '' ? {} : { ca: [...rootCertificates, readFileSync(settings.caFile, 'utf8')] }),
    },
  })
}
