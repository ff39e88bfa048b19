// Pass-through: everything of Gemini's API that is not a model call goes through untouched: files, caches, batches, operations, models, and
// whatever Google adds next year. Beside `upstream`, behind the same auth, metering and limits.
import httpProxy from '@fastify/http-proxy'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { renderServerTiming } from '../src/exchange/timing.ts'
import { upstreamHeaders } from '../src/gemini/headers.ts'
import { watchMintedToken } from '../src/live/minted-token.ts'
import { upstreamFailure } from '../src/upstream/failure.ts'
import { geminiHost } from '../src/upstream/origin.ts'
import { passedHeaders } from '../src/upstream/passed-headers.ts'
import { publicUrl } from '../src/upstream/public-url.ts'
import { bodyTooLarge, createRequestable } from '../src/upstream/requestable.ts'

export default fp(
  async function passthrough(app) {
    const { settings, mount } = app.castor
    const requestable = createRequestable(() => app.upstream.agent)
    // Read while the request's socket is there: at the time of the answer the scheme can no longer be asked for.
    const bases = new WeakMap<FastifyRequest, string>()

    await app.register(httpProxy, {
      upstream: '',
      routes: ['/*'],
      httpMethods: ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT', 'OPTIONS'],
      constraints: { traffic: 'other' },
      // The exchange plugin hands on bodies as streams, whatever their type; http-proxy's own parsers would be second ones.
      proxyPayloads: false,
      disableRequestLogging: true,
      disableCache: true,
      // Nor may it judge or rebuild a path that is not sent: it would refuse `//v1beta/…`, which SDKs produce.
      preRewrite: () => '/',
      // http-proxy's types ask for a whole dispatcher; it uses `request` alone (reply-from lib/request.js).
      undici: requestable.client as unknown as Record<string, unknown>,
      handler: pass,
      replyOptions: {
        getUpstream: (request) => app.upstream.originOf(request.exchange.target).origin,
        // Its own retries multiply calls to an overloaded upstream, and only a delay of null turns them off.
        retryDelay: () => null as unknown as number,
        // http-proxy hands the Fastify request to this hook, though its types say otherwise.
        rewriteHeaders: (headers, request) => answerHeaders(headers, request as FastifyRequest),
        onError: (reply, { error }) => {
          const failure = upstreamFailure(rootOf(error))
          app.log.warn(
            { id: reply.request.id, err: failure.cause, reason: failure.reason },
            'the call to Gemini failed',
          )
          reply.send(failure)
        },
        onResponse: (request, reply, answer) => {
          const { stream } = answer as unknown as { stream: NodeJS.ReadableStream }
          request.exchange.statusCode = reply.statusCode
          reply.send(stream)
          if (request.exchange.target.route.endsWith('/auth_tokens') && reply.statusCode === 200) {
            const encoding = reply.getHeader('content-encoding')
            watchMintedToken(stream, encoding?.toString(), (token) =>
              app.authenticator.current.rememberToken(token, request.exchange.caller),
            )
          }
        },
      },
    })

    // The destination that http-proxy works out is not used: the client's own path and query go up, byte for byte.
    function pass(request: FastifyRequest, reply: FastifyReply, destination: string, options: object): void {
      const { exchange } = request
      const { target } = exchange
      const limit = settings.current.limits.upload
      if (Number(request.headers['content-length'] ?? 0) > limit) throw bodyTooLarge(limit)
      const { origin, prefix } = app.upstream.originOf(target)
      exchange.attempts += 1
      app.castor.books?.begin(exchange)
      const base = publicUrl({
        configured: settings.current.server.publicUrl,
        protocol: request.protocol,
        host: request.host,
        prefix: forwardedPrefix(request) + mount,
      })
      bases.set(request, base)
      requestable.next({
        origin,
        path: prefix + target.path + target.search,
        headers: upstreamHeaders(request.raw.rawHeaders, exchange.outgoing),
        sent: request.headers,
        maxBodyBytes: limit,
        bodyIdleMs: settings.current.limits.bodyIdle,
        response: reply.raw,
      })
      reply.from(destination, options)
    }

    function answerHeaders(headers: Record<string, string | string[] | undefined>, request: FastifyRequest) {
      const { exchange } = request
      const now = performance.now()
      exchange.source = 'upstream'
      exchange.answeredAt = now
      exchange.timings.upstream = now - exchange.startedAt - exchange.timings.auth
      return passedHeaders(headers, {
        base: bases.get(request) ?? '',
        origins: [app.upstream.originOf(exchange.target).origin, `https://${geminiHost}`],
        upstreamKey: exchange.caller.upstreamKey,
        proveUpload: (uploadId) => app.authenticator.current.proveUpload(uploadId, exchange.caller),
        added: { 'x-castor-request-id': exchange.id, 'server-timing': renderServerTiming(exchange, now) },
      })
    }
  },
  { name: 'castor-passthrough', dependencies: ['castor-upstream'] },
)

/** reply-from wraps what went wrong in an error of its own. */
function rootOf(error: Error): unknown {
  return error.cause ?? error
}

/** A trusted proxy that strips a path prefix says so here; nobody else is believed. */
function forwardedPrefix(request: FastifyRequest): string {
  const prefix = request.headers['x-forwarded-prefix']
  // More than one address means that the peer is a trusted proxy and has named whom it speaks for.
  const isTrusted = (request.ips?.length ?? 0) > 1
  return isTrusted && typeof prefix === 'string' && /^(?:\/[\w.-]+)+\/?$/.test(prefix) ? prefix.replace(/\/$/, '') : ''
}
