// Rules about keeping the figures right and the bill expected.
import { changes } from '../changes.ts'
import { costOf } from '../cost.ts'
import { byModel, sumMeasures } from '../group.ts'
import type { LedgerRow } from '../ledger.ts'
import type { Rule, Suggestion } from '../suggest.ts'
import { count, money, percent } from '../words.ts'

type Said = Omit<Suggestion, 'rule'>

function perModel(rows: LedgerRow[]): Map<string, LedgerRow[]> {
  const models = new Map<string, LedgerRow[]>()
  for (const row of rows) {
    const [model = ''] = byModel(row)
    models.set(model, [...(models.get(model) ?? []), row])
  }
  return models
}

/** Models whose cost is missing from every figure. */
export const unpriced: Rule = {
  name: 'unpriced-model',
  check(scene) {
    const found: Said[] = []
    for (const [model, rows] of perModel(scene.rows)) {
      const sum = sumMeasures(rows)
      const guessed = sum.unpricedAttempts + sum.defaultPricedAttempts
      if (guessed === 0) continue
      const how =
        sum.unpricedAttempts > 0 ? 'without a price: they are missing from the cost' : 'at metering.defaultPrice'
      found.push({
        title: `State the price of ${model}`,
        evidence: `${count(guessed)} attempts with ${count(sum.prompt)} prompt and ${count(sum.candidates + sum.thoughts)} output tokens were booked ${how}.`,
        savingUsdPerMonth: null,
        change: changes.price(model),
        caution: 'Then `castor reprice --from … --to …` corrects what is booked.',
      })
    }
    return found
  },
}

const soonDays = 45

/** A published price that changes soon. */
export const priceChange: Rule = {
  name: 'price-change',
  check(scene) {
    const found: Said[] = []
    for (const [model, rows] of perModel(scene.rows)) {
      const sum = sumMeasures(rows)
      const now = scene.prices.lookup(model, scene.nowMs)
      const later = scene.prices.lookup(model, scene.nowMs + soonDays * 86_400_000)
      if (!now || !later || now.kind === 'default' || sum.cost === 0) continue
      const usage = {
        promptTokens: sum.prompt,
        cachedTokens: sum.cached,
        candidateTokens: sum.candidates,
        thoughtTokens: sum.thoughts,
        toolUseTokens: sum.toolUse,
      }
      const before = costOf(usage, 'standard', { ...now, long: null })?.total ?? 0
      const after = costOf(usage, 'standard', { ...later, long: null })?.total ?? 0
      if (before === 0 || after <= before) continue
      const more = (after - before) / before
      found.push({
        title: `${model} becomes dearer within ${soonDays} days`,
        evidence: `The same traffic would cost ${percent(more)} more: ${money(scene.perMonth(sum.cost * more))} a month on top of ${money(scene.perMonth(sum.cost))}.`,
        savingUsdPerMonth: null,
        change: changes.monthlyBudget(Math.ceil(scene.perMonth(sum.cost) * (1 + more) * 1.2)),
        caution: 'The published price has a start date; nothing has to be done for the figures to follow it.',
      })
    }
    return found
  },
}

/** Real money and no limit to it. */
export const noBudget: Rule = {
  name: 'no-budget',
  check(scene) {
    const monthly = scene.perMonth(sumMeasures(scene.rows).cost)
    if (scene.settings.budgetsSet || monthly < 100) return null
    return {
      title: 'Set a monthly budget',
      evidence: `The traffic costs ${money(monthly)} a month and nothing would stop it at ten times that.`,
      savingUsdPerMonth: null,
      change: changes.monthlyBudget(Math.ceil((monthly * 1.5) / 10) * 10),
      caution: 'At the limit, calls get 429; from 80 % on, a warning header.',
    }
  },
}
