// Limits: may they ask more? After metering, so that a refused request is counted too; before anything is looked up or sent. A full house
// refuses before the body is read, so that it does not also read what it will not answer; a budget is asked after that, since the model
// and the length of what is asked may stand in the body.
import type { FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import type { Exchange } from '../src/exchange/exchange.ts'
import { GatewayError } from '../src/gemini/errors.ts'
import { withModel } from '../src/gemini/target.ts'
import { breachError, breachWarning } from '../src/usage/breach.ts'
import type { Verdict } from '../src/usage/budget.ts'

export default fp(
  async function limits(app) {
    const { settings, lifecycle, load } = app.castor
    if (app.castor.books === null && settings.current.budgets.length > 0)
      app.log.warn('budgets are set, but metering is off: nobody counts, so nothing is limited')

    app.addHook('onRequest', function admit(request, _reply, done) {
      const { exchange } = request
      if (lifecycle.draining) return done(draining())
      if (load.inFlight >= settings.current.limits.inFlight) return done(overloaded())
      load.inFlight += 1
      exchange.taps.push({
        name: 'in flight',
        end: () => {
          load.inFlight -= 1
        },
      })
      done()
    })

    app.addHook('preHandler', function askBudgets(request, reply, done) {
      const { exchange } = request
      // The client can have left while its body was read: what nobody settles must not be set aside.
      if (exchange.target.traffic === 'other' || exchange.outcome !== null) return done()
      const { books } = app.castor
      if (books === null || !books.gate.isOpen) return done()
      const verdict = books.reserve(exchange)
      if (!verdict.allowed) return done(breachError(verdict.breach, verdict.retryAfterMs))
      exchange.reservation = verdict.reservation
      done(heed(exchange, verdict, reply))
    })

    /** Does what a verdict asks besides letting the call through. */
    function heed(exchange: Exchange, verdict: Verdict & { allowed: true }, reply: FastifyReply): Error | undefined {
      const [warning] = verdict.warnings
      if (verdict.degradeTo !== null) {
        const cheaper = withModel(exchange.target, verdict.degradeTo)
        // Only a path can be rewritten; a model that the body names stands in the client's own bytes.
        if (cheaper === null && warning !== undefined) {
          const isDay = warning.limit === 'perDay'
          return breachError(warning, app.castor.books?.gate.untilAnew(isDay ? 'day' : 'month') ?? 60_000)
        }
        if (cheaper !== null) {
          app.castor.books?.noteAsked(exchange)
          exchange.target = cheaper
          exchange.model = cheaper.model
        }
      }
      // Sent with whatever answers; raw, since the reply is taken over later.
      if (warning !== undefined) reply.raw.setHeader('x-castor-budget', breachWarning(warning))
      return undefined
    }
  },
  { name: 'castor-limits', dependencies: ['castor-metering'] },
)

function draining(): GatewayError {
  return new GatewayError('CASTOR_DRAINING', 'The gateway is shutting down. Please retry in 1s.', {
    retryAfterSeconds: 1,
  })
}

function overloaded(): GatewayError {
  return new GatewayError(
    'CASTOR_OVERLOADED',
    'The gateway has as many requests in progress as it may. Please retry in 1s.',
    {
      retryAfterSeconds: 1,
    },
  )
}
