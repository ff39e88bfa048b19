/** cachedContents: explicit caches with a life time, for one key and one model. */
import { camelCase } from './casing.ts'
import { durationMs, rfc3339, timeMs } from './duration.ts'
import { denied, invalid, notFound } from './errors.ts'
import { asObject, asString, type JsonObject } from './json.ts'
import type { Model } from './models.ts'
import { pageOf } from './page.ts'
import { leastCached } from './prefix.ts'
import { randomName } from './random.ts'
import { jsonReply } from './reply.ts'
import type { Route } from './route.ts'
import { type Modalities, promptTokens, totalOf } from './tokens.ts'
import { type Call, type Handler, parseBody, type World } from './world.ts'

interface CachedContent {
  name: string
  owner: string
  model: string
  displayName: string
  modalities: Modalities
  createdMs: number
  updatedMs: number
  expiresMs: number
}

const hourMs = 3_600_000
/** Caches held at once; creating more removes the oldest. */
const most = 1000

/** An empty set of caches. */
export function createCaches(world: World) {
  const caches = new Map<string, CachedContent>()

  const mine = (call: Call): CachedContent => {
    const cache = alive(idOf(call.route.name))
    if (cache?.owner === call.key) return cache
    if (call.route.dialect === 'vertex')
      throw notFound(`Not found: cached content metadata for ${idOf(call.route.name)}.`)
    throw denied('CachedContent not found (or permission denied)')
  }
  const alive = (id: string): CachedContent | undefined => {
    const cache = caches.get(id)
    if (!cache || cache.expiresMs > world.clock()) return cache
    caches.delete(id)
    return undefined
  }

  const create: Handler = (call) => {
    const body = camelCase(parseBody(call.body), call.body.toString())
    const named = asString(body.model)
    if (!named) throw invalid('* CreateCachedContentRequest.cached_content.model: model is not specified\n')
    const model = world.catalogue.require(modelId(named), 'createCachedContent', call.route.version)
    const counted = promptTokens(body)
    const total = totalOf(counted.modalities)
    const least = leastCached(model) ?? 1024
    if (total < least) {
      throw invalid(`Cached content is too small. total_token_count=${total}, min_total_token_count=${least}`)
    }
    const now = world.clock()
    const id = call.route.dialect === 'vertex' ? String(hashId(world.random)) : randomName(world.random, 40)
    const cache: CachedContent = {
      name: call.route.dialect === 'vertex' ? `${call.route.name}/${id}` : `cachedContents/${id}`,
      owner: call.key,
      model: call.route.dialect === 'vertex' ? named : `models/${model.id}`,
      displayName: asString(body.displayName) ?? '',
      modalities: counted.modalities,
      createdMs: now,
      updatedMs: now,
      expiresMs: expiry(body, now) ?? now + hourMs,
    }
    const oldest = caches.size >= most ? caches.keys().next().value : undefined
    if (oldest !== undefined) caches.delete(oldest)
    caches.set(id, cache)
    return jsonReply(resource(cache))
  }

  const list: Handler = (call) => {
    const owned = [...caches.values()].filter((cache) => cache.owner === call.key && cache.expiresMs > world.clock())
    const page = pageOf(owned, call.route.query, (cache) => cache.name, 1000)
    if (owned.length === 0) return jsonReply({})
    return jsonReply({ cachedContents: page.shown.map(resource), nextPageToken: page.nextPageToken })
  }

  const patch: Handler = (call) => {
    const cache = mine(call)
    const body = camelCase(parseBody(call.body), call.body.toString())
    const expiresMs = expiry(body, world.clock())
    if (expiresMs === undefined) throw invalid('Only ttl and expire_time of a cached content can be updated.')
    cache.expiresMs = expiresMs
    cache.updatedMs = world.clock()
    return jsonReply(resource(cache))
  }

  return {
    find(method: string, route: Route): Handler | undefined {
      const one = /cachedContents\/[^/]+$/.test(route.name)
      if (!one) return method === 'POST' ? create : method === 'GET' ? list : undefined
      if (method === 'GET') return (call) => jsonReply(resource(mine(call)))
      if (method === 'PATCH') return patch
      if (method !== 'DELETE') return undefined
      return (call) => {
        mine(call)
        caches.delete(idOf(call.route.name))
        return jsonReply({})
      }
    },
    /** Tokens of the cache a request names. Throws when it is gone, another key's or another model's. */
    lookup(name: string, model: Model, owner: string): Modalities {
      if (!/cachedContents\/[^/]+$/.test(name)) throw invalid(`Invalid CachedContent name: ${name}.`)
      const cache = alive(idOf(name))
      if (cache?.owner !== owner) throw denied('CachedContent not found (or permission denied)')
      if (modelId(cache.model) !== model.id)
        throw invalid('Cached content model does not match the model in the request.')
      return cache.modalities
    },
    reset: () => caches.clear(),
  }
}

function resource(cache: CachedContent): JsonObject {
  return {
    name: cache.name,
    model: cache.model,
    createTime: rfc3339(cache.createdMs),
    updateTime: rfc3339(cache.updatedMs),
    expireTime: rfc3339(cache.expiresMs),
    displayName: cache.displayName,
    usageMetadata: { totalTokenCount: totalOf(cache.modalities) },
  }
}

function expiry(body: JsonObject, now: number): number | undefined {
  const source = asObject(body.cachedContent) ?? body
  const ttl = asString(source.ttl)
  if (ttl !== undefined) return now + durationMs(ttl, 'cached_content.ttl')
  const time = asString(source.expireTime)
  return time === undefined ? undefined : timeMs(time, 'cached_content.expire_time')
}

function idOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}

function modelId(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}

/** Vertex numbers its caches. */
function hashId(random: () => number): bigint {
  return BigInt(Math.floor(random() * 2 ** 31)) * 4_294_967_296n + BigInt(Math.floor(random() * 2 ** 31))
}
