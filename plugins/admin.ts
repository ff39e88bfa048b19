// Admin: the operators' API, its description under /openapi.json, and the dashboard. Last and beside the pipeline: it shows and steers
// what the others do, and has a guard of its own.
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { auditOutcome } from '../src/admin/audit.ts'
import { type Call, type Endpoint, json, largestBody, type Reply } from '../src/admin/endpoint.ts'
import { adminEndpoints } from '../src/admin/endpoints.ts'
import {
  changesState,
  createGuard,
  type Knock,
  type Principal,
  permit,
  type Scope,
  unauthorized,
} from '../src/admin/guard.ts'
import { securityHeaders } from '../src/admin/headers.ts'
import { noSuchEndpoint } from '../src/admin/missing.ts'
import { openApi } from '../src/admin/openapi.ts'
import { adminRoutes } from '../src/admin/routes.ts'
import { createByteBudget, readBody } from '../src/exchange/body.ts'
import { GatewayError } from '../src/gemini/errors.ts'
import { type Surface, withoutPrefix } from '../src/house.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** who calls the admin API; null elsewhere, and for nobody */
    principal: Principal | null
    /** why a call of the admin API was refused or failed */
    refusal: string | null
    /** bytes of its body that count against `limits.bufferedBytes` */
    heldBytes: number
  }
  interface FastifyContextConfig {
    /** what an endpoint of the admin API asks of its caller; `open` for signing in */
    access?: Scope | 'open'
  }
}

// '' and '/' are two routes here; Fastify would make both out of each.
const prefixTrailingSlash = 'slash'
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

export default fp(
  async function admin(app, { surface }: { surface: Surface }) {
    const house = app.castor
    const { desk, load, mount, settings } = house
    const { prefix } = settings.current.admin
    // A server that closes waits for the event streams that the desk keeps open; the Gemini side has none.
    app.addHook(surface === 'gemini' ? 'onClose' : 'preClose', async () => desk.close())
    if (surface === 'gemini') {
      for (const url of ['/metrics', '/openapi.json', prefix, `${prefix}/*`]) app.all(url, elsewhere)
      return
    }
    const guard = createGuard(settings.current, desk.now)
    settings.onChange(guard.replace)
    const endpoints = adminEndpoints(house, guard)
    const held = createByteBudget(load, () => settings.current.limits.bufferedBytes)
    app.decorateRequest('principal', null)
    app.decorateRequest('refusal', null)
    app.decorateRequest('heldBytes', 0)

    app.get('/openapi.json', async (_request, reply) =>
      send(reply.headers(securityHeaders), json(openApi(adminRoutes, mount + prefix))),
    )
    await app.register(
      async function operators(scope) {
        scope.addHook('onRequest', function enter(request, reply, done) {
          reply.headers(securityHeaders).header('x-castor-request-id', request.id)
          done(attempt(request, () => letIn(request, reply)))
        })
        scope.addHook('onResponse', function leave(request, reply, done) {
          held.give(request.heldBytes)
          if (changesState(request.method) || triedToken(request)) writeAudit(request, reply)
          done()
        })
        scope.removeAllContentTypeParsers()
        scope.addContentTypeParser('*', function takeBody(request, _payload, done) {
          const bodyBytes = request.routeOptions.bodyLimit
          readBody(request.raw, { bodyBytes, idleMs: settings.current.limits.bodyIdle }, held, (error, body, bytes) => {
            request.heldBytes = bytes
            if (error !== null) request.refusal = error.reason
            done(error, body)
          })
        })
        for (const endpoint of endpoints) {
          const { method, url, access } = endpoint
          // 0 would mean Fastify's default.
          const bodyLimit = Math.max(1, endpoint.bodyLimit)
          const handler = (request: FastifyRequest, reply: FastifyReply) => answer(endpoint, request, reply)
          scope.route({ method, url, prefixTrailingSlash, config: { access }, bodyLimit, handler })
        }
        for (const url of ['', '/', '/*']) {
          const taken = endpoints.filter((endpoint) => endpoint.url === url).map(({ method }) => method as string)
          const method = methods.filter((name) => !taken.includes(name))
          scope.route({ method, url, prefixTrailingSlash, bodyLimit: largestBody, handler: missing })
        }
      },
      { prefix },
    )

    function letIn(request: FastifyRequest, reply: FastifyReply): void {
      const { access = 'read' } = request.routeOptions.config
      request.principal = guard.identify(knockOf(request))
      if (access === 'open') return
      if (request.principal === null) {
        reply.header('www-authenticate', 'Bearer realm="castor"')
        throw unauthorized()
      }
      permit(request.principal, access)
    }

    async function answer(endpoint: Endpoint, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
      const leaving = new AbortController()
      reply.raw.once('close', () => leaving.abort())
      const call: Call = {
        knock: knockOf(request),
        who: request.principal,
        url: request.url,
        params: request.params as Record<string, string>,
        body: request.body as Buffer | undefined,
        signal: leaving.signal,
      }
      try {
        const answered = await endpoint.answer(call)
        request.principal ??= answered.who ?? null
        return send(reply, answered)
      } catch (error) {
        request.refusal = reasonOf(error)
        throw error
      }
    }

    async function missing(request: FastifyRequest, reply: FastifyReply): Promise<never> {
      const path = withoutPrefix(request.url.split('?', 1)[0] as string, mount).slice(prefix.length)
      const { error, allow } = noSuchEndpoint(endpoints, request.method, path)
      if (allow !== null) reply.header('allow', allow)
      request.refusal = error.reason
      throw error
    }

    function knockOf(request: FastifyRequest): Knock {
      const { publicUrl } = settings.current.server
      const named = publicUrl === '' || surface === 'admin' ? [] : [new URL(publicUrl)]
      return {
        method: request.method,
        headers: request.headers,
        socketAddress: request.socket.remoteAddress,
        address: request.ip,
        ownHosts: [request.host, ...named.map(({ host }) => host)],
        isHttps: request.protocol === 'https' || named.some(({ protocol }) => protocol === 'https:'),
      }
    }

    function writeAudit(request: FastifyRequest, reply: FastifyReply): void {
      const entry = {
        at: new Date(desk.now()).toISOString(),
        id: request.id,
        by: request.principal?.by ?? 'nobody',
        from: request.ip,
        method: request.method,
        route: request.routeOptions.url ?? '/*',
        status: reply.statusCode,
        outcome: auditOutcome(reply.statusCode),
        reason: request.refusal,
      }
      // Strangers are in the log alone: in memory they would push out what was really done.
      if (entry.by !== 'nobody' || triedToken(request)) desk.audit.record(entry)
      app.log.warn({ audit: entry }, 'admin call')
    }
  },
  { name: 'castor-admin', dependencies: ['castor-health'] },
)

/** Runs a check; returns what it threw, noted on the request for the audit. */
function attempt(request: FastifyRequest, check: () => void): Error | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    request.refusal = reasonOf(error)
    return error as Error
  }
}

/** A wrong token was sent. The guard lets nobody do that often. */
function triedToken({ refusal, principal, headers, routeOptions }: FastifyRequest): boolean {
  if (refusal !== 'CASTOR_ADMIN_UNAUTHORIZED' || principal !== null) return false
  return headers.authorization !== undefined || routeOptions.url?.endsWith('/login') === true
}

function reasonOf(error: unknown): string {
  return error instanceof GatewayError ? error.reason : 'CASTOR_INTERNAL'
}

function send(reply: FastifyReply, { status, headers, body }: Reply): FastifyReply {
  return reply.code(status).headers(headers).send(body)
}

async function elsewhere(): Promise<never> {
  throw new GatewayError('CASTOR_NOT_FOUND', 'The admin API has a listener of its own (admin.listen).')
}
