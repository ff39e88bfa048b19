// Cache: answered from memory? After limits, so that a caller who may not ask gets no hit either; before context and upstream, which a hit
// makes needless. Works on the client's original body: what is asked, not what is sent in the end.
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { deriveKey } from '../src/auth/secret.ts'
import { cacheHealth } from '../src/cache/health.ts'
import { openCache } from '../src/cache/open.ts'
import { createStage } from '../src/cache/stage.ts'
import type { Visit } from '../src/cache/visit.ts'
import { Answer } from '../src/exchange/answer.ts'
import type { Usage } from '../src/gemini/usage.ts'

export default fp(
  async function cache(app) {
    const { settings, secret, metrics, cacheHolder, desk } = app.castor
    const opened = openCache({
      settings: () => settings.current,
      secret: deriveKey(secret, 'cache'),
      costUsd: (exchange) => (exchange.account?.costNanoUsd ?? 0) / 1e9,
      onRefusal: (reason) => metrics.cacheRefusals.inc({ reason }),
      onTrouble: (event, detail) => app.log.warn(detail, event),
    })
    cacheHolder.current = opened
    desk.parts.set('cache', () => cacheHealth(opened, settings.current.cache.mode))
    settings.onChange(() => opened.reload())
    app.addHook('onClose', () => opened.tiers.close())
    if (settings.current.cache.mode !== 'off' && settings.current.cache.scope === 'shared') {
      app.log.warn('cache.scope is shared: every caller can be given what others have asked')
    }
    const stage = createStage({
      cache: opened,
      settings: () => settings.current.cache,
      now: () => Date.now(),
      counted(exchange, outcome, hit) {
        metrics.cache.inc({ result: outcome })
        opened.tally.counted(outcome, hit?.header)
        if (hit === undefined || outcome === 'shadow') return
        // Usage is opaque to the cache: it gives back what the meter had read.
        exchange.rememberedUsage = hit.header.usage as Usage | null
        app.castor.books?.answering(exchange)
        metrics.cacheSavedSeconds.inc(hit.header.latencyMs / 1000)
      },
      compared(agreement) {
        metrics.cacheCompared.inc({ result: agreement })
        opened.tally.compared(agreement)
      },
    })

    app.addHook('preHandler', function lookUp(request, reply, done) {
      if (request.exchange.target.traffic !== 'model' || settings.current.cache.mode === 'off') return done()
      stage.visit(new Visitor(request, reply, done))
    })

    class Visitor implements Visit {
      readonly exchange
      readonly rawHeaders
      readonly cacheControl
      readonly acceptEncoding
      readonly next
      readonly #request: FastifyRequest
      readonly #reply: FastifyReply

      constructor(request: FastifyRequest, reply: FastifyReply, next: Visit['next']) {
        const { headers, rawHeaders } = request.raw
        this.exchange = request.exchange
        this.rawHeaders = rawHeaders
        this.cacheControl = headers['cache-control']
        // Node joins repeated lines of this header.
        this.acceptEncoding = headers['accept-encoding'] as string | undefined
        this.next = next
        this.#request = request
        this.#reply = reply
      }

      take(): Answer {
        this.#reply.hijack()
        return new Answer(this.exchange, this.#reply.raw, app.tapDropped)
      }

      onDrain(resume: () => void): void {
        this.#reply.raw.on('drain', resume)
      }

      onClose(left: () => void): void {
        this.#reply.raw.once('close', left)
      }

      refresh(): void {
        const { exchange } = this
        // Through the whole pipeline, as the same caller: it is authorised, metered and limited like any other call.
        const headers = { ...this.#request.raw.headers, 'cache-control': 'no-cache' }
        app
          .inject({ method: 'POST', url: this.#request.raw.url as string, headers, payload: exchange.body ?? '' })
          .catch((error: unknown) =>
            app.log.warn({ err: error, id: exchange.id }, 'an old answer could not be asked anew'),
          )
      }
    }
  },
  { name: 'castor-cache', dependencies: ['castor-limits'] },
)
