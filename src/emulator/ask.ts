/** Asking a model: validation, quota, caches, answer. All surfaces come through here. */
import { type Answer, answerTo } from './answer.ts'
import { camelCase } from './casing.ts'
import { invalid } from './errors.ts'
import { checkFields } from './fields.ts'
import type { Files } from './files.ts'
import { asString, type JsonObject } from './json.ts'
import type { Limits } from './limits.ts'
import type { Model } from './models.ts'
import type { Modalities } from './tokens.ts'
import { promptTokens, totalOf } from './tokens.ts'
import { validateContents } from './validate.ts'
import type { Call, World } from './world.ts'

/** Finds an explicit cache for a request, or throws Google's error. */
export type CacheLookup = (name: string, model: Model, owner: string) => Modalities

/** What asking needs of a call. */
export type Asking = Pick<Call, 'route' | 'key' | 'faults'> & {
  /** Batches have quotas of their own. */
  unmetered?: boolean
}

export interface Asker {
  /** The answer to a request in either casing. Throws Google's errors. */
  ask(call: Asking, model: Model, body: JsonObject, source: string): Answer
}

/** Binds the shared parts. */
export function createAsker(world: World, limits: Limits, caches: CacheLookup, files: Files): Asker {
  return {
    ask(call, model, raw, source) {
      checkFields(raw)
      const body = camelCase(raw, source)
      const owner = call.key
      const cacheName = asString(body.cachedContent)
      const explicitCache = cacheName ? caches(cacheName, model, owner) : undefined
      const error = validateContents(body, model, call.route.dialect)
      if (error) throw error
      const counted = promptTokens(body, (uri) => files.sizeOf(uri, owner))
      const total = totalOf(counted.modalities) + counted.signatures + totalOf(explicitCache ?? {})
      if (total > model.inputLimit) {
        throw invalid(
          `The input token count (${total}) exceeds the maximum number of tokens allowed (${model.inputLimit}).`,
        )
      }
      if (limits.active && !call.unmetered) limits.spend(owner, model, total)
      return answerTo(model, body, {
        counted,
        seed: world.seed,
        options: world.options,
        faults: call.faults,
        explicitCache,
        implicitCache: (tokens) => world.prefixes.cachedTokens(owner, model, body, tokens),
      })
    },
  }
}
