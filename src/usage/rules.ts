// All rules, by theme. Each looks at the evidence of one period and speaks only when it has some.
import { cacheOff, cacheOverhead, expiredEntries, highVolume, lowHitRate, samplingBypass } from './rules/caching.ts'
import { cheaperModel, longContext, priorityTier, providerCache, quietHours, thinking } from './rules/cost.ts'
import { aborted, errorRate, rateLimits, trimLoss } from './rules/reliability.ts'
import { noBudget, priceChange, unpriced } from './rules/upkeep.ts'
import type { Rule } from './suggest.ts'

export const rules: readonly Rule[] = [
  cacheOff,
  lowHitRate,
  expiredEntries,
  samplingBypass,
  highVolume,
  cacheOverhead,
  errorRate,
  rateLimits,
  aborted,
  trimLoss,
  providerCache,
  longContext,
  thinking,
  quietHours,
  priorityTier,
  cheaperModel,
  unpriced,
  priceChange,
  noBudget,
]
