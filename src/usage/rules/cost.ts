// Rules about what the calls themselves cost.
import { changes } from '../changes.ts'
import { costOf } from '../cost.ts'
import { isInteraction, sumMeasures } from '../group.ts'
import type { LedgerRow } from '../ledger.ts'
import type { Measures } from '../measure.ts'
import type { Rule, Scene, Suggestion } from '../suggest.ts'
import { count, money, percent } from '../words.ts'

type Said = Omit<Suggestion, 'rule'>

/** The rows that went to each model, by the model that was served. */
function perModel(scene: Scene): Map<string, LedgerRow[]> {
  const models = new Map<string, LedgerRow[]>()
  for (const row of scene.rows) {
    if (!isInteraction(row) || row.measures.attempts === 0) continue
    const model = row.dimensions?.modelServed || row.dimensions?.modelAsked || ''
    models.set(model, [...(models.get(model) ?? []), row])
  }
  return models
}

// ai.google.dev caching page, 2026-10-13: shorter prompts are never cached.
const cacheableTokens = (model: string): number => (/^gemini-2\./.test(model) ? 2_048 : 4_096)

/** Long prompts that Google caches none of. */
export const providerCache: Rule = {
  name: 'unstable-prefix',
  check(scene) {
    const found: Said[] = []
    for (const [model, rows] of perModel(scene)) {
      const sum = sumMeasures(rows)
      const price = scene.prices.lookup(model, scene.nowMs)
      if (!price || price.rates.cached.text >= price.rates.input.text || sum.attempts < 100) continue
      const average = sum.prompt / sum.attempts
      if (average < cacheableTokens(model) || sum.cached > sum.prompt * 0.1) continue
      // Half of a long prompt is a careful guess at what a stable beginning would hold.
      const discount = 1 - price.rates.cached.text / price.rates.input.text
      found.push({
        title: `Let Google cache the beginning of prompts to ${model}`,
        evidence: `${count(sum.attempts)} prompts of ${count(average)} tokens on average, of which Google had ${percent(sum.cached / sum.prompt)} in its cache.`,
        savingUsdPerMonth: scene.perMonth(sum.costInput * 0.5 * discount),
        change: '',
        caution:
          'Put what never changes first and what changes (dates, ids, the question) last. Reckoned with half of the prompt.',
      })
    }
    return found
  },
}

/** Prompts above the threshold that makes the whole request dearer. */
export const longContext: Rule = {
  name: 'long-context',
  check(scene) {
    const found: Said[] = []
    for (const [model, rows] of perModel(scene)) {
      const sum = sumMeasures(rows)
      const price = scene.prices.lookup(model, scene.nowMs)
      if (!price?.long || sum.longAttempts === 0) continue
      const kept = price.rates.input.text / price.long.rates.input.text
      found.push({
        title: `Keep prompts to ${model} below ${count(price.long.above)} tokens`,
        evidence: `${count(sum.longAttempts)} requests crossed the threshold that reprices the whole request; they cost ${money(sum.longCost / 1e9)}.`,
        savingUsdPerMonth: scene.perMonth(sum.longCost * (1 - kept)),
        change: changes.contextLimit(Math.floor(price.long.above * 0.95)),
        caution: 'Castor then leaves out what matters least in conversations that are longer.',
      })
    }
    return found
  },
}

/** More thinking than answering. */
export const thinking: Rule = {
  name: 'thinking-share',
  check(scene) {
    const found: Said[] = []
    for (const [model, rows] of perModel(scene)) {
      const sum = sumMeasures(rows)
      const output = sum.thoughts + sum.candidates
      if (sum.attempts < 100 || sum.thoughts < output * 0.6 || sum.candidates / sum.attempts > 300) continue
      found.push({
        title: `Let ${model} think less about short answers`,
        evidence: `${percent(sum.thoughts / output)} of its output was thinking (${money(sum.costThoughts / 1e9)}), for answers of ${count(sum.candidates / sum.attempts)} tokens on average.`,
        savingUsdPerMonth: scene.perMonth(sum.costThoughts * 0.5),
        change: '',
        caution:
          'Set generationConfig.thinkingConfig in the client (thinkingLevel LOW, or a thinkingBudget) and compare the answers. Reckoned with half of the thinking.',
      })
    }
    return found
  },
}

/** Work at night that could wait for the batch tier. */
export const quietHours: Rule = {
  name: 'night-work',
  check(scene) {
    const { byHour, cost } = scene.report
    const night = byHour.filter(({ label }) => label >= '22' || label < '06')
    const nightUsd = night.reduce((sum, hour) => sum + hour.costUsd, 0)
    const calls = night.reduce((sum, hour) => sum + hour.calls, 0)
    const standard = sumMeasures(scene.rows.filter((row) => row.dimensions?.tier === 'standard')).cost / 1e9
    const usual = cost.total > 0 ? standard / cost.total : 0
    // A third of the day by the clock; only clearly more than that is work that somebody runs at night.
    if (calls < 100 || nightUsd < cost.total * 0.4) return null
    return {
      title: 'Move nightly work to the batch tier',
      evidence: `${percent(nightUsd / cost.total)} of the cost (${money(nightUsd)}) falls between 22:00 and 06:00, ${percent(usual)} of all of it on the standard tier.`,
      savingUsdPerMonth: scene.perMonth(nightUsd * 1e9 * usual * 0.5),
      change: '',
      caution:
        'Submit it with `castor batch submit` or POST /batch/schedule/: half the price, results within 24 hours.',
    }
  },
}

/** Paying for priority. */
export const priorityTier: Rule = {
  name: 'priority-tier',
  check(scene) {
    const rows = scene.rows.filter((row) => row.dimensions?.tier === 'priority')
    const { cost, attempts } = sumMeasures(rows)
    if (attempts < 100) return null
    return {
      title: 'Ask whether priority is worth its price',
      evidence: `${count(attempts)} attempts were served on the priority tier and cost ${money(cost / 1e9)}, 1.8 times the standard price.`,
      savingUsdPerMonth: scene.perMonth(cost * (1 - 1 / 1.8)),
      change: '',
      caution: 'Remove service_tier from requests that nobody waits for.',
    }
  },
}

// Of the same family, a size smaller (gemini-wire.md §4).
const smaller: readonly (readonly [RegExp, string])[] = [
  [/^gemini-4-argon/, 'gemini-3.8-flash'],
  [/^gemini-3(\.\d)?-pro/, 'gemini-3.5-flash'],
  [/^gemini-2\.5-pro/, 'gemini-2.5-flash'],
  [/^gemini-3\.5-flash$/, 'gemini-3.5-flash-lite'],
  [/^gemini-2\.5-flash$/, 'gemini-2.5-flash-lite'],
]

/** Small questions to a big model. */
export const cheaperModel: Rule = {
  name: 'smaller-model',
  check(scene) {
    const found: Said[] = []
    for (const [model, rows] of perModel(scene)) {
      const candidate = smaller.find(([pattern]) => pattern.test(model))?.[1]
      const price = candidate && scene.prices.lookup(candidate, scene.nowMs)
      if (!candidate || !price) continue
      const simple = rows.filter(({ measures }) => isSimple(measures))
      const sum = sumMeasures(simple)
      if (sum.attempts < 200) continue
      const cheaper = costOf(usageOf(sum), 'standard', { ...price, long: null })
      if (!cheaper || cheaper.total > sum.cost * 0.7) continue
      found.push({
        title: `Try ${candidate} for the short questions to ${model}`,
        evidence: `${count(sum.attempts)} calls of ${count(sum.prompt / sum.attempts)} prompt and ${count(sum.candidates / sum.attempts)} answer tokens cost ${money(sum.cost / 1e9)}; ${candidate} would cost ${money(cheaper.total / 1e9)}.`,
        savingUsdPerMonth: scene.perMonth(sum.cost - cheaper.total),
        change: '',
        caution: 'Compare the answers first; prices are no measure of quality.',
      })
    }
    return found
  },
}

function isSimple({ attempts, prompt, candidates, thoughts }: Measures): boolean {
  return attempts > 0 && prompt / attempts < 2_000 && candidates / attempts < 300 && thoughts / attempts < 300
}

function usageOf(sum: Measures) {
  return {
    promptTokens: sum.prompt,
    cachedTokens: sum.cached,
    candidateTokens: sum.candidates,
    thoughtTokens: sum.thoughts,
    toolUseTokens: sum.toolUse,
  }
}
