/** The settings of gateway.yaml in the words of the cache. */
import type { Config } from '../../config/schema.ts'
import type { CacheSettings } from './cache.ts'
import { defaultRules, type Rule } from './policy.ts'

/** @param ttlMs the TTL in force, which may be another than the file's */
export function read({ cache }: Config, ttlMs: number): CacheSettings {
  return {
    mode: cache.mode,
    scope: cache.scope,
    contextAware: cache.contextAware,
    maxEntryBytes: cache.maxEntryBytes,
    policy: {
      defaults: {
        ttlMs,
        staleIfErrorMs: cache.staleIfError,
        staleWhileRevalidateMs: cache.staleWhileRevalidate,
      },
      rules: cache.policy.length === 0 ? defaultRules : cache.policy.map(ruleOf),
      referenceTtlMs: cache.referenceTtl,
    },
  }
}

function ruleOf(written: Config['cache']['policy'][number]): Rule {
  const { models, operations, interactions, temperature } = written
  return {
    ...(models.length > 0 ? { models } : {}),
    ...(operations.length > 0 ? { operations } : {}),
    ...(interactions.length > 0 ? { interactions } : {}),
    // The schema's words are those of Feature; test/cache-settings.test.ts says so.
    ...(written.with.length > 0 ? { with: written.with as Rule['with'] & string[] } : {}),
    ...(temperature === 'zero' ? { maxTemperature: 0 } : {}),
    ...(temperature === 'aboveZero' ? { aboveTemperature: 0 } : {}),
    ...(written.ttl > 0 ? { ttlMs: written.ttl } : {}),
    cache: written.cache,
    maxTokensAnswers: written.maxTokensAnswers,
    functionCallAnswers: written.functionCallAnswers,
    convert: written.convert,
  }
}
