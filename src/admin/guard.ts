import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Config } from '../../config/schema.ts'
import { GatewayError } from '../gemini/errors.ts'
import { createAttempts } from './attempts.ts'
import { cameThroughProxy, isFromHere, isSameOrigin, sessionIn } from './caller.ts'
import { createSessions } from './sessions.ts'

/** read: may look at everything. operate: may change things too. */
export type Scope = 'read' | 'operate'

/** Who calls the admin API, as the audit trail names them. */
export interface Principal {
  by: 'token' | 'read token' | 'session' | 'loopback'
  scope: Scope
}

/** What the guard reads of a request. */
export interface Knock {
  method: string
  headers: IncomingHttpHeaders
  /** address of the connection itself; no header can change it */
  socketAddress: string | undefined
  /** address of the client, as far as trusted proxies tell */
  address: string
  /** hosts under which a browser reaches this gateway, with their ports */
  ownHosts: readonly string[]
  /** whether the client speaks TLS, as far as trusted proxies tell */
  isHttps: boolean
}

export interface Guard {
  /**
   * Who is this? null: nobody, since no credential came.
   * @throws GatewayError CASTOR_ADMIN_UNAUTHORIZED for a wrong token, CASTOR_ADMIN_FORBIDDEN for a page of another origin and for other
   * machines while there is no token, CASTOR_ADMIN_RATE_LIMITED after too many wrong ones
   */
  identify(knock: Knock): Principal | null
  /** Signs a browser in with a token and starts its session. Throws as `identify` does. */
  login(token: string, knock: Knock): { id: string; who: Principal }
  logout(knock: Knock): void
  /** New settings: sessions stay only while the tokens do. */
  replace(admin: GuardSettings): void
}

export type GuardSettings = Pick<Config, 'admin' | 'server'>

/** Throws CASTOR_ADMIN_FORBIDDEN unless the caller's scope is enough. */
export function permit({ by, scope }: Principal, needed: Scope): void {
  if (scope === 'operate' || needed === 'read') return
  throw new GatewayError('CASTOR_ADMIN_FORBIDDEN', `A ${by} with scope read may look, but not do this.`)
}

/** Whether a request may change something (RFC 9110 §9.2.1). */
export function changesState(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD'
}

/** @param now milliseconds */
export function createGuard(settings: GuardSettings, now: () => number): Guard {
  const attempts = createAttempts(now)
  const sessions = createSessions<Principal>(now)
  let { admin, server } = settings
  let tokens = digests(admin)

  function check(token: string, address: string): Principal {
    const waitSeconds = attempts.waitSeconds(address)
    // Before the comparison: whoever guesses learns nothing any more, not even from a right guess.
    if (waitSeconds > 0) throw rateLimited(waitSeconds)
    const given = digest(token)
    for (const { principal, expected } of tokens) if (timingSafeEqual(given, expected)) return principal
    attempts.fail(address)
    throw unauthorized('The admin token is not right.')
  }

  return {
    identify(knock) {
      const { headers, address } = knock
      const bearer = /^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1]
      if (bearer !== undefined && tokens.length > 0) return check(bearer.trim(), address)
      const session = sessions.find(sessionIn(headers.cookie))
      if (session !== null) {
        if (changesState(knock.method) && !isSameOrigin(knock, 'required')) throw foreignPage()
        return { by: 'session', scope: session.scope }
      }
      if (admin.token !== '') return null
      refuseStrangers(knock, server)
      if (changesState(knock.method) && !isSameOrigin(knock, 'if present')) throw foreignPage()
      return { by: 'loopback', scope: 'operate' }
    },
    login(token, knock) {
      if (!isSameOrigin(knock, 'if present')) throw foreignPage()
      const who = check(token, knock.address)
      return { id: sessions.open(who, admin.session), who }
    },
    logout(knock) {
      if (isSameOrigin(knock, 'required')) sessions.close(sessionIn(knock.headers.cookie))
      else throw foreignPage()
    },
    replace(next) {
      if (next.admin.token !== admin.token || next.admin.readToken !== admin.readToken) sessions.clear()
      admin = next.admin
      server = next.server
      tokens = digests(admin)
    },
  }
}

/** Without a token only this machine may call: over loopback, not through a proxy, and under a name of this machine (DNS rebinding). */
function refuseStrangers(knock: Knock, { trustProxy, publicUrl }: Config['server']): void {
  const remedy = 'Set admin.token (or CASTOR_ADMIN_TOKEN) and send it as a Bearer token.'
  if (!isFromHere(knock)) {
    const message = `Without admin.token the admin API answers this machine only, under 127.0.0.1, [::1] or localhost. ${remedy}`
    throw new GatewayError('CASTOR_ADMIN_FORBIDDEN', message)
  }
  if (trustProxy !== false || publicUrl !== '' || cameThroughProxy(knock.headers)) {
    const message = `Behind a proxy nobody can be told from this machine by the address. ${remedy}`
    throw new GatewayError('CASTOR_ADMIN_FORBIDDEN', message)
  }
}

interface Known {
  principal: Principal
  expected: Buffer
}

function digests({ token, readToken }: Config['admin']): Known[] {
  const known: Known[] = []
  if (token !== '') known.push({ principal: { by: 'token', scope: 'operate' }, expected: digest(token) })
  if (readToken !== '') known.push({ principal: { by: 'read token', scope: 'read' }, expected: digest(readToken) })
  return known
}

/** Digests have one length, so comparing them in constant time tells nothing of the tokens, their lengths neither. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/** For a caller without a credential. */
export function unauthorized(
  message = 'This needs the admin token: send it as "Authorization: Bearer …".',
): GatewayError {
  return new GatewayError('CASTOR_ADMIN_UNAUTHORIZED', message)
}

function rateLimited(seconds: number): GatewayError {
  const message = `Too many wrong admin tokens from this address. Please retry in ${seconds}s.`
  return new GatewayError('CASTOR_ADMIN_RATE_LIMITED', message, { retryAfterSeconds: seconds })
}

function foreignPage(): GatewayError {
  const message =
    'A page of another origin may not do this. Programs send the admin token as a Bearer token; a dashboard behind a proxy needs server.publicUrl.'
  return new GatewayError('CASTOR_ADMIN_FORBIDDEN', message)
}
