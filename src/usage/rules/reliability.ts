// Rules about errors, limits and money that bought nothing.
import { changes, yamlDuration } from '../changes.ts'
import { sumMeasures } from '../group.ts'
import type { Rule } from '../suggest.ts'
import { count, money, percent } from '../words.ts'

/** High error rate → error handling. */
export const errorRate: Rule = {
  name: 'high-error-rate',
  check({ report, settings }) {
    const { calls, errors } = report
    if (calls.errorRate === null || calls.total < 50 || calls.errorRate <= 0.05) return null
    const worst = errors.find((pattern) => pattern.outcome !== 'client_error' && pattern.outcome !== 'refused')
    // Rate limits are answered by spacing, not by another model; that is its own rule.
    if (!worst || worst.outcome === 'rate_limited') return null
    const pattern = `most often ${worst.outcome} ${worst.error} of ${worst.model} (${count(worst.count)})`
    return {
      title: settings.fallbackEnabled ? `Give ${worst.model} another fallback` : 'Switch the fallback chain on',
      evidence: `${count(calls.failed)} of ${count(calls.total)} calls failed (${percent(calls.errorRate)}), ${pattern}.`,
      savingUsdPerMonth: null,
      change: settings.fallbackEnabled ? changes.fallbackTo(worst.model, other(worst.model)) : changes.fallbackOn(),
      caution: 'Answers of another model may differ; x-castor-model tells which one answered.',
    }
  },
}

/** Another current model, for a chain that never names its own model twice. */
function other(model: string): string {
  return model === 'gemini-3.5-flash' ? 'gemini-2.5-flash' : 'gemini-3.5-flash'
}

/** Rate limits → spacing. */
export const rateLimits: Rule = {
  name: 'rate-limited',
  check(scene) {
    const limited = scene.rows.filter((row) => row.dimensions?.outcome === 'rate_limited')
    const { attempts } = sumMeasures(limited)
    const total = scene.report.calls.attempts
    if (attempts < 20 || attempts < total * 0.01) return null
    const byTenant = new Map<string, number>()
    for (const row of limited) {
      const tenant = row.dimensions?.tenant ?? ''
      byTenant.set(tenant, (byTenant.get(tenant) ?? 0) + row.measures.attempts)
    }
    const [tenant = '', most = 0] = [...byTenant].sort((a, b) => b[1] - a[1])[0] ?? []
    const evidence = `Google answered 429 to ${count(attempts)} of ${count(total)} attempts (${percent(attempts / total)}).`
    if (byTenant.size > 1 && most > attempts * 0.6) {
      const calls = sumMeasures(scene.rows.filter((row) => row.dimensions?.tenant === tenant)).attempts
      const perMinute = Math.max(1, Math.round((calls / (scene.report.days * 1440)) * 2))
      return {
        title: `Pace the client ${tenant}`,
        evidence: `${evidence} ${count(most)} of them went to ${tenant}.`,
        savingUsdPerMonth: null,
        change: changes.clientRate(tenant, perMinute),
        caution: 'Twice the client’s average pace; bursts beyond it get 429 from Castor instead of Google.',
      }
    }
    return {
      title: 'Space batch requests out',
      evidence,
      savingUsdPerMonth: null,
      change: changes.batchDelay(yamlDuration(Math.max(1000, scene.settings.batchDelayMs * 2))),
      caution: 'Batches take longer. A higher tier of the Google project raises the limit instead.',
    }
  },
}

/** Answers that clients did not wait for. */
export const aborted: Rule = {
  name: 'aborted-answers',
  check(scene) {
    const gone = sumMeasures(scene.rows.filter((row) => row.dimensions?.outcome === 'client_abort'))
    const all = sumMeasures(scene.rows).cost
    if (gone.calls < 20 || gone.cost < all * 0.03) return null
    return {
      title: 'Find out why clients leave early',
      evidence: `${count(gone.calls)} answers were paid for and not waited for: ${money(gone.cost / 1e9)}, ${percent(gone.cost / all)} of the cost.`,
      savingUsdPerMonth: scene.perMonth(gone.cost),
      change: '',
      caution: 'Usually a client timeout shorter than the answer, or a retry on top of Castor’s own.',
    }
  },
}

/** Trimming that destroyed more of Google's caching than it cut. */
export const trimLoss: Rule = {
  name: 'trimming-costs',
  check(scene) {
    const { savedTrim, trimmedTokens } = sumMeasures(scene.rows)
    if (!scene.settings.contextEnabled || savedTrim >= 0) return null
    return {
      title: 'Stop shortening conversations',
      evidence: `${count(trimmedTokens)} tokens were cut, but the discount of Google's caching that was lost with them cost ${money(-savedTrim / 1e9)} more.`,
      savingUsdPerMonth: scene.perMonth(-savedTrim),
      change: changes.contextOff(),
      caution: '',
    }
  },
}
