import { count, duration } from '../../../usage/words.ts'
import { html } from '../html.ts'
import { instant, table } from '../parts.ts'
import type { Section } from '../section.ts'

const shown = 30

/** The latest calls: who asked for what and how it went, never what was said. */
export const recent: Section = {
  id: 'recent',
  title: 'Latest calls',
  render({ recent }) {
    const calls = recent().slice(0, shown)
    if (calls.length === 0) return html`<p class="empty">No call has come yet.</p>`
    return table(
      'Latest calls, without content',
      ['Ended', 'Client', 'Model', 'Route', 'Status', 'From', 'Tokens', 'Time', 'Request id'],
      calls.map((call) => [
        instant(call.endedAtMs),
        call.key,
        call.model ?? '',
        call.route,
        html`${call.status === 0 ? 'none' : call.status}${note(call.outcome, call.reason)}`,
        call.source,
        call.tokens === 0 ? '' : count(call.tokens),
        duration(call.ms),
        html`<code>${call.id}</code>`,
      ]),
      [6, 7],
    )
  },
}

function note(outcome: string, reason: string | null) {
  if (outcome === 'complete') return null
  return html` <span class="grade ${outcome === 'client_abort' ? 'none' : 'poor'}">${reason ?? outcome}</span>`
}
