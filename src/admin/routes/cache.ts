import { Type } from 'typebox'
import { cacheFigures } from '../../cache/figures.ts'
import type { Cache } from '../../cache/open.ts'
import type { Scope } from '../../cache/scope.ts'
import { GatewayError } from '../../gemini/errors.ts'
import type { House } from '../../house.ts'
import { defineRoute } from '../route.ts'

const strict = { additionalProperties: false }
const name = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 512, description }))
const number = (description: string) => Type.Number({ description })

const purge = Type.Object(
  {
    all: Type.Optional(Type.Boolean({ description: 'everything' })),
    tenant: name('a caller, as reports and logs name it: the name of a client, or key:… of its own key'),
    model: name('answers of this model'),
    tag: name('answers to callers with this tag, name=value'),
    interaction: name('answers to this interaction type'),
    key: name('one answer, by its cache key'),
  },
  strict,
)

export const cleanCache = defineRoute({
  method: 'POST',
  path: '/cache/cleanup/',
  scope: 'operate',
  summary:
    'Removes answers that are past their use; with a scope in the body, all answers that it names, on every replica',
  bodySchema: purge,
  responseSchema: Type.Object({
    scope: Type.Union([Type.String(), Type.Null()], {
      description: 'what was purged; null: only what was past its use',
    }),
    removed: Type.Integer({ description: 'answers that are gone from here and from the store' }),
  }),
  async handler({ body }, house) {
    const { tiers, cleanup } = cacheOf(house)
    const scope = scopeOf(body)
    if (scope === undefined) return { scope: null, removed: await cleanup() }
    return { scope: scope.kind === 'all' ? 'all' : `${scope.kind}=${scope.value}`, removed: await tiers.purge(scope) }
  },
})

export const showCache = defineRoute({
  method: 'GET',
  path: '/cache/metrics/',
  scope: 'read',
  summary: 'Hits by kind, hit rate, what was saved, what was not kept and why, and what memory and store hold',
  querySchema: Type.Object(
    {
      days: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 3660, description: 'today and so many before; default 7' }),
      ),
    },
    strict,
  ),
  responseSchema: Type.Record(Type.String(), Type.Unknown()),
  handler: ({ query }, house) =>
    cacheFigures({
      cache: cacheOf(house),
      ledger: house.books?.ledger ?? null,
      mode: house.settings.current.cache.mode,
      days: query.days ?? 7,
      nowMs: Date.now(),
    }),
})

const advice = Type.Object({
  setting: Type.String(),
  from: number('ms for a TTL, entries or bytes otherwise'),
  to: number('likewise'),
  why: Type.String(),
  hits: Type.Integer({ description: 'misses so far that would have been hits' }),
  savedUsd: number('what those calls cost'),
  savedSeconds: number('how long they took'),
  perDay: Type.Object({ hits: Type.Number(), savedUsd: Type.Number(), savedSeconds: Type.Number() }),
  yaml: Type.String({ description: 'to write into gateway.yaml' }),
})

export const optimizeCache = defineRoute({
  method: 'POST',
  path: '/cache/optimize/',
  scope: 'operate',
  summary: 'What a longer life or more room would have answered; applies it, until the next reload, when asked to',
  bodySchema: Type.Object({ apply: Type.Optional(Type.Boolean({ description: 'default false: only told' })) }, strict),
  responseSchema: Type.Object({
    since: Type.String({ format: 'date-time', description: 'observed since' }),
    applied: Type.Boolean(),
    advice: Type.Array(advice),
    note: Type.String(),
  }),
  async handler({ body }, house) {
    const cache = cacheOf(house)
    const found = await cache.advise()
    const applied = body.apply === true && found.length > 0
    if (applied) cache.apply(found)
    const note =
      found.length === 0
        ? 'Nothing was asked for again that a longer life or twice the room would have answered.'
        : applied
          ? 'In force until the next reload or restart; write the YAML into gateway.yaml to keep it.'
          : 'Nothing was changed.'
    return { since: new Date(cache.tally.sinceMs).toISOString(), applied, advice: found, note }
  },
})

/** @throws GatewayError CASTOR_BAD_PARAMETER when more than one scope is named */
function scopeOf({ all, ...named }: { all?: boolean } & Record<string, unknown>): Scope | undefined {
  const given = Object.entries(named)
  if (given.length + (all === true ? 1 : 0) > 1) {
    throw new GatewayError(
      'CASTOR_BAD_PARAMETER',
      'Name one scope at a time: tenant, model, tag, interaction, key or all.',
    )
  }
  if (all === true) return { kind: 'all' }
  const [kind, value] = given[0] ?? []
  // The schema has let in no other names, and texts only.
  return kind === undefined ? undefined : ({ kind, value } as Scope)
}

function cacheOf({ cacheHolder }: Pick<House, 'cacheHolder'>): Cache {
  if (cacheHolder.current === null) throw new GatewayError('CASTOR_NOT_FOUND', 'This gateway has no cache.')
  return cacheHolder.current
}
