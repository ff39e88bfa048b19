// Upstream: last stage, the one that asks Gemini. Model calls go out from here as the client's own bytes on our own connections, and the
// answer comes back as it arrives: to the client first, then to the taps that the plugins before have left.
import { isDeepStrictEqual } from 'node:util'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Agent } from 'undici'
import { Answer } from '../src/exchange/answer.ts'
import type { Exchange } from '../src/exchange/exchange.ts'
import type { GatewayError } from '../src/gemini/errors.ts'
import type { Target } from '../src/gemini/target.ts'
import { openAgent } from '../src/upstream/agent.ts'
import { createChains } from '../src/upstream/chain.ts'
import { forward } from '../src/upstream/forward.ts'
import { addGuardMetrics } from '../src/upstream/gauges.ts'
import { createGuard } from '../src/upstream/guard.ts'
import { guardHealth } from '../src/upstream/health.ts'
import { createOrigins, type Origin } from '../src/upstream/origin.ts'
import { createRetries } from '../src/upstream/retry.ts'

declare module 'fastify' {
  interface FastifyInstance {
    upstream: {
      /** the connection pool that every call to Gemini uses */
      readonly agent: Agent
      /** where a target lives, by the settings in force */
      originOf(target: Target): Origin
    }
  }
}

export default fp(
  async function upstream(app) {
    const { settings, metrics, desk } = app.castor
    let originOf = createOrigins(settings.current.upstream)
    const guard = createGuard({
      settings: () => settings.current,
      now: Date.now,
      random: Math.random,
      onBreaker({ upstream, model, reason }, state) {
        app.log.warn({ upstream, model: model.slice(0, 80), reason, state }, 'the breaker of a model has changed')
      },
      onParked({ model, ...call }, { kind, quotaId }, pauseMs) {
        const detail = { ...call, model: model?.slice(0, 80), kind, quotaId, pauseMs: Math.round(pauseMs) }
        app.log.warn(detail, 'Gemini has called a quota spent')
      },
    })
    const retries = createRetries({ settings: () => settings.current.retry, random: Math.random })
    app.castor.guard = guard
    let chainOf = createChains(settings.current.fallback)
    addGuardMetrics(metrics.registry, guard)
    desk.parts.set('upstream', () => guardHealth(guard))
    settings.onChange((config, before) => {
      originOf = createOrigins(config.upstream)
      chainOf = createChains(config.fallback)
      if (!isDeepStrictEqual(config.breaker, before.breaker)) guard.reload()
    })
    const agent = openAgent(settings.current.upstream)
    app.decorate('upstream', { agent, originOf: (target: Target) => originOf(target) })
    // Calls still open when everything else has closed have outlived the drain.
    app.addHook('onClose', async () => {
      guard.close()
      await agent.destroy()
    })

    app.route({ method: 'POST', url: '/*', constraints: { traffic: 'model' }, handler: askGemini })

    function askGemini(request: FastifyRequest, reply: FastifyReply): void {
      const { exchange } = request
      reply.hijack()
      forward(exchange, reply.raw, new Answer(exchange, reply.raw, app.tapDropped), {
        agent,
        origin: originOf(exchange.target),
        guard,
        retries,
        chainOf,
        moving: (exchange) => app.castor.books?.noteAsked(exchange),
        rawHeaders: request.raw.rawHeaders,
        begun: (exchange) => app.castor.books?.begin(exchange),
        failing: (exchange, status) => app.castor.books?.missed(exchange, { status }),
        settled,
      })
    }

    function settled(exchange: Exchange, result: string, failure: GatewayError | null): void {
      app.castor.metrics.upstreamAttempts.inc({ result })
      if (failure !== null) app.castor.books?.missed(exchange, { reason: failure.reason })
      if (failure !== null)
        app.log.warn({ id: exchange.id, err: failure.cause, reason: failure.reason }, 'the call to Gemini failed')
    }
  },
  { name: 'castor-upstream', dependencies: ['castor-cache'] },
)
