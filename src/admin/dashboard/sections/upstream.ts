import { count, percent } from '../../../usage/words.ts'
import { html } from '../html.ts'
import { instant, table } from '../parts.ts'
import type { Section } from '../section.ts'
import type { Breaker, Sources } from '../sources.ts'

/** Gemini as the traffic sees it, and the breakers that stand before it. */
export const upstream: Section = {
  id: 'upstream',
  title: 'Gemini',
  async render(sources) {
    const breakers = await sources.breakers?.()
    return html`${models(sources)}${breakers === undefined ? null : breakerTable(breakers)}`
  },
}

function models({ models }: Sources) {
  const known = models()
  if (known.length === 0) return html`<p class="empty">No model has been called yet.</p>`
  return table(
    'Models by last use',
    ['Model', 'State', 'Last success', 'Last failure', 'Failures since', 'Cause'],
    known.map((health) => [
      health.model,
      state(health.failuresInRow === 0 ? 'excellent' : 'poor', health.failuresInRow === 0 ? 'answers' : 'fails'),
      instant(health.lastSuccessAt),
      instant(health.lastFailureAt),
      count(health.failuresInRow),
      health.lastFailure ?? '',
    ]),
    [4],
  )
}

const breakerGrades = { closed: 'excellent', 'half-open': 'good', open: 'poor' } as const

function breakerTable(breakers: readonly Breaker[]) {
  return table(
    'Breakers',
    ['Breaker', 'State', 'Failure rate', 'Tries again'],
    breakers.map(({ name, state: word, failureRate, retryAtMs }) => [
      name,
      state(breakerGrades[word], word),
      percent(failureRate),
      retryAtMs === null ? '' : instant(retryAtMs),
    ]),
    [2],
  )
}

function state(grade: string, word: string) {
  return html`<span class="grade ${grade}">${word}</span>`
}
