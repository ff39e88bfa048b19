// Exchange: what is asked? Second: it needs to know who asks, and everything after it reads what it writes. It begins the one object that
// carries the request through the house, reads the body of a model call as bytes, and ends the object when the connection is done.
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { readPairs, readWord } from '../src/exchange/annotations.ts'
import { createByteBudget, readBody } from '../src/exchange/body.ts'
import { beginExchange, type Exchange, type TapDropped, tapEnd } from '../src/exchange/exchange.ts'
import { modelName } from '../src/gemini/model-name.ts'
import { peekString } from '../src/gemini/peek.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** told of every tap that threw */
    tapDropped: TapDropped
  }
  interface FastifyRequest {
    /** null on the gateway's own routes and before this plugin's hook */
    exchange: Exchange
  }
}

export default fp(
  async function exchange(app) {
    const { settings, load, metrics } = app.castor
    const held = createByteBudget(load, () => settings.current.limits.bufferedBytes)
    const dropped: TapDropped = (tap, error) => {
      metrics.droppedTaps.inc({ tap: tap.name })
      app.log.error({ err: error, tap: tap.name }, 'a tap failed and was taken off')
    }
    app.decorate('tapDropped', dropped)
    // Every request has its exchange once the hook below has run; only the gateway's own routes keep this null.
    app.decorateRequest('exchange', null as unknown as Exchange)

    app.addHook('onRequest', function begin(request, reply, done) {
      try {
        const exchange = fromHeaders(request)
        request.exchange = exchange
        exchange.timings.auth = performance.now() - exchange.startedAt
        // Fastify would refuse a type that it cannot read; what the client has sent goes up from the raw headers.
        request.headers['content-type'] = undefined
        reply.raw.once('close', () => {
          const sent = reply.raw.writableFinished
          // An answer that others still wait for ends with Gemini's last byte instead.
          if (!sent && exchange.keepAsking?.()) return
          tapEnd(exchange, sent ? (exchange.failure === null ? 'complete' : 'failed') : 'client_abort', sent, dropped)
        })
        done()
      } catch (error) {
        done(error as Error)
      }
    })

    // Gemini's clients label bodies loosely (file bytes as JSON, no type at all): the bytes are taken as they are, whatever they are called.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', function takeBody(request, payload, done) {
      const { exchange } = request
      if (exchange.target.traffic !== 'model') return done(null, payload)
      const { limits } = settings.current
      readBody(request.raw, { bodyBytes: limits.body, idleMs: limits.bodyIdle }, held, (error, body, reserved) => {
        if (error !== null) return done(error)
        // The client can have left between its last byte and this call: then nothing ends any more.
        if (exchange.outcome !== null) return held.give(reserved)
        exchange.taps.push({ name: 'held body', end: () => held.give(reserved) })
        exchange.body = body
        if (exchange.target.dialect !== 'native') exchange.model = modelInBody(body)
        done(null, body)
      })
    })
  },
  { name: 'castor-exchange', dependencies: ['castor-auth'] },
)

function fromHeaders(request: FastifyRequest): Exchange {
  // Auth stands before this plugin and has filled both, or the request would not be here.
  const { caller, outgoing } = request.authentication as NonNullable<FastifyRequest['authentication']>
  const target = request.target as NonNullable<FastifyRequest['target']>
  const own = readPairs(request.headers, 'x-castor-tags')
  return beginExchange({
    id: request.id,
    startedAt: request.arrivedAt,
    target,
    caller,
    outgoing,
    // What the operator wrote in gateway.yaml stands; a client may only add to it.
    tags: own === null ? caller.tags : { ...own, ...caller.tags },
    interaction: readWord(request.headers, 'x-castor-interaction'),
    context: readPairs(request.headers, 'x-castor-context'),
  })
}

/** The model that an OpenAI or Interactions body names, without its collection. */
function modelInBody(body: Buffer): string | null {
  const model = peekString(body, 'model') ?? peekString(body, 'agent')
  return modelName(model?.slice(model.lastIndexOf('/') + 1))
}
