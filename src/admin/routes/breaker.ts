import { Type } from 'typebox'
import { GatewayError } from '../../gemini/errors.ts'
import { defineRoute } from '../route.ts'

export const forceBreaker = defineRoute({
  method: 'POST',
  path: '/breaker/',
  scope: 'operate',
  summary: 'Opens or closes the breaker of a model by hand, or gives it back to the traffic',
  bodySchema: Type.Object(
    {
      model: Type.String({ minLength: 1, maxLength: 200, description: 'as in the path of the call' }),
      state: Type.Enum(['open', 'closed', 'auto'], { description: 'auto: as the traffic has it' }),
      upstream: Type.Optional(
        Type.String({ maxLength: 300, description: 'origin, as /service/health/ shows it; default: `upstream.url`' }),
      ),
    },
    { additionalProperties: false },
  ),
  responseSchema: Type.Object({
    upstream: Type.String(),
    model: Type.String(),
    state: Type.Enum(['closed', 'open', 'half-open'], { description: 'as the traffic has it' }),
    forced: Type.Union([Type.Enum(['open', 'closed']), Type.Null()]),
    reason: Type.Union([Type.String(), Type.Null()], { description: 'the last failure' }),
    nextProbeAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
    openings: Type.Integer({ description: 'times in a row that it opened without having closed in between' }),
  }),
  handler({ body }, { guard, settings }) {
    if (guard === null) throw new GatewayError('CASTOR_NOT_FOUND', 'This gateway has no way to Gemini.')
    const { upstream = new URL(settings.current.upstream.url).origin, model, state } = body
    const { nextProbeAtMs, ...breaker } = guard.breakers.force(upstream, model, state === 'auto' ? null : state)
    return { ...breaker, nextProbeAt: nextProbeAtMs === null ? null : new Date(nextProbeAtMs).toISOString() }
  },
})
