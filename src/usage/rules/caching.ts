// Rules about Castor's own cache. Their evidence is repeats: questions that were seen before and still went upstream.
import { changes, yamlDuration } from '../changes.ts'
import { isHit, isInteraction, sumMeasures } from '../group.ts'
import type { LedgerRow } from '../ledger.ts'
import type { CacheState } from '../outcome.ts'
import type { Rule, Scene } from '../suggest.ts'
import { count, money, percent } from '../words.ts'

// Fewer than this say nothing about a habit.
const leastCalls = 100

function asked(scene: Scene, ...states: CacheState[]): LedgerRow[] {
  return scene.rows.filter((row) => isInteraction(row) && !isHit(row) && states.includes(row.dimensions?.cache ?? ''))
}

/** The mission's first: a cache that is off while questions repeat. */
export const cacheOff: Rule = {
  name: 'cache-off',
  check(scene) {
    const off = sumMeasures(asked(scene, 'off', ''))
    if (scene.settings.cacheEnabled || off.calls < leastCalls || off.repeats === 0) return null
    return {
      title: 'Switch the cache on',
      evidence: `${count(off.repeats)} of ${count(off.calls)} calls asked what had been asked before and cost ${money(off.repeatCost / 1e9)}.`,
      savingUsdPerMonth: scene.perMonth(off.repeatCost),
      change: changes.cacheOn(),
      caution: 'An answer may be as old as cache.ttl.',
    }
  },
}

/** Low hit rate → caching strategy. */
export const lowHitRate: Rule = {
  name: 'low-hit-rate',
  check(scene) {
    const { cache } = scene.report
    if (cache.hitRate === null || cache.lookups < leastCalls || cache.hitRate >= 0.6) return null
    const missed = sumMeasures(asked(scene, 'miss'))
    // Questions that never repeat cannot be cached; a low rate alone is no reason to change anything.
    if (missed.repeats < missed.calls * 0.05 || missed.repeats === 0) return null
    const { settings } = scene
    const evidence = `The hit rate is ${percent(cache.hitRate)} of ${count(cache.lookups)} lookups; ${count(missed.repeats)} misses were questions seen before, which cost ${money(missed.repeatCost / 1e9)}.`
    const saving = scene.perMonth(missed.repeatCost)
    if (!settings.semanticEnabled) {
      return {
        title: 'Answer rephrased questions from memory',
        evidence,
        // Not every rephrased question is certain enough to be served.
        savingUsdPerMonth: saving / 2,
        change: changes.semanticOn(),
        caution: 'Mode certified serves nothing until it has learned from real answers.',
      }
    }
    return {
      title: 'Keep more answers',
      evidence: `${evidence} They had been pushed out by newer ones.`,
      savingUsdPerMonth: saving,
      change: changes.cacheEntries(settings.cacheMaxEntries * 4),
      caution: 'Needs more memory; see cache.maxBytes.',
    }
  },
}

/** Entries that were asked for again shortly after they had expired. */
export const expiredEntries: Rule = {
  name: 'ttl-too-short',
  check(scene) {
    const { cache } = scene.report
    const expired = sumMeasures(asked(scene, 'expired'))
    if (cache.lookups < leastCalls || expired.calls < cache.lookups * 0.1) return null
    const ttlMs = scene.settings.cacheTtlMs
    return {
      title: 'Keep answers longer',
      evidence: `${count(expired.calls)} of ${count(cache.lookups)} lookups found an entry that had expired; asking again cost ${money(expired.cost / 1e9)}.`,
      savingUsdPerMonth: scene.perMonth(expired.cost),
      change: changes.cacheTtl(yamlDuration(ttlMs * 4)),
      caution: 'Answers may be up to four times as old as now.',
    }
  },
}

/** A temperature above zero keeps the cache out although the questions repeat. */
export const samplingBypass: Rule = {
  name: 'temperature-blocks-cache',
  check(scene) {
    const sampled = sumMeasures(asked(scene, 'sampling'))
    if (scene.settings.cacheSampled || sampled.calls < leastCalls || sampled.repeats < sampled.calls * 0.1) return null
    return {
      title: 'Cache answers of calls with a temperature',
      evidence: `${count(sampled.calls)} calls passed the cache by because they ask for variety; ${count(sampled.repeats)} of them repeated an earlier question and cost ${money(sampled.repeatCost / 1e9)}.`,
      savingUsdPerMonth: scene.perMonth(sampled.repeatCost),
      change: changes.cacheSampled(),
      caution: 'Repeated questions then get the same answer. Clients that need variety send Cache-Control: no-cache.',
    }
  },
}

/** High volume → more aggressive caching. */
export const highVolume: Rule = {
  name: 'high-volume',
  check(scene) {
    const { report, settings } = scene
    const perDay = report.calls.interactions / report.days
    const { hitRate } = report.cache
    if (perDay < 1000 || hitRate === null || hitRate < 0.6 || hitRate > 0.8) return null
    const missed = sumMeasures(asked(scene, 'miss', 'expired'))
    if (missed.repeats === 0) return null
    return {
      title: 'Cache more at this volume',
      evidence: `${count(perDay)} calls a day at a hit rate of ${percent(hitRate)}; ${count(missed.repeats)} of the rest repeated an earlier question and cost ${money(missed.repeatCost / 1e9)}.`,
      savingUsdPerMonth: scene.perMonth(missed.repeatCost),
      change: `${changes.cacheTtl(yamlDuration(settings.cacheTtlMs * 2))}  maxEntries: ${settings.cacheMaxEntries * 2}\n`,
      caution: 'Answers may be up to twice as old as now.',
    }
  },
}

/** Semantic lookups that cost more than they save. */
export const cacheOverhead: Rule = {
  name: 'semantic-costs-more',
  check(scene) {
    const own = sumMeasures(
      scene.rows.filter(
        ({ dimensions }) => dimensions?.purpose === 'embedding' || dimensions?.purpose === 'verification',
      ),
    )
    const saved = sumMeasures(scene.rows).savedSemantic
    if (!scene.settings.semanticEnabled || scene.settings.semanticMode === 'shadow') return null
    if (own.attempts < leastCalls || own.cost <= saved) return null
    return {
      title: 'Switch the semantic cache off',
      evidence: `Its embeddings and checks cost ${money(own.cost / 1e9)}, its hits saved ${money(saved / 1e9)}.`,
      savingUsdPerMonth: scene.perMonth(own.cost - saved),
      change: changes.semanticOff(),
      caution: 'Traffic with more repetition would turn this around.',
    }
  },
}
