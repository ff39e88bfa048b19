import { createHistogram, mergeHistogram, percentile } from '../../../usage/histogram.ts'
import { count, duration, money, percent } from '../../../usage/words.ts'
import { html } from '../html.ts'
import { figure, graded } from '../parts.ts'
import type { Section } from '../section.ts'
import type { Sources } from '../sources.ts'

/** The hour in a glance, graded. */
export const headline: Section = {
  id: 'headline',
  title: 'The last hour',
  async render(sources) {
    const { calls, errorRate, hitRate, tokens, medianMs, p95Ms } = hourOf(sources)
    const { inFlight, liveSessions } = sources.load()
    return html`<dl class="figures">
${figure('Calls', count(calls))}
${figure('In progress', `${count(inFlight)}${liveSessions > 0 ? ` + ${count(liveSessions)} live` : ''}`)}
${figure('Response time (median)', duration(medianMs), graded('responseMs', medianMs))}
${figure('Response time (p95)', duration(p95Ms))}
${figure('Error rate', percent(errorRate), graded('errorRate', errorRate))}
${figure('Cache hit rate', percent(hitRate), graded('hitRate', hitRate))}
${figure('Tokens', count(tokens))}
${await costs(sources)}
</dl>`
  },
}

function hourOf({ minutes }: Sources) {
  const latency = createHistogram()
  const sum = { calls: 0, errors: 0, hits: 0, misses: 0, tokens: 0 }
  for (const minute of minutes()) {
    mergeHistogram(latency, minute.latency)
    sum.calls += minute.calls
    sum.errors += minute.errors
    sum.hits += minute.hits
    sum.misses += minute.misses
    sum.tokens += minute.promptTokens + minute.candidateTokens + minute.thoughtTokens
  }
  const lookedUp = sum.hits + sum.misses
  return {
    ...sum,
    errorRate: sum.calls === 0 ? null : sum.errors / sum.calls,
    hitRate: lookedUp === 0 ? null : sum.hits / lookedUp,
    medianMs: percentile(latency, 0.5),
    p95Ms: percentile(latency, 0.95),
  }
}

async function costs({ days }: Sources) {
  const today = (await days?.())?.at(-1)
  if (today === undefined) return null
  const perCall = today.calls === 0 ? null : today.costUsd / today.calls
  return [
    figure('Cost today', money(today.costUsd)),
    figure('Net saved today', money(today.netSavedUsd)),
    figure('Cost per call today', perCall === null ? 'n/a' : money(perCall), graded('costPerInteractionUsd', perCall)),
  ]
}
