import { html } from '../html.ts'
import { instant, table } from '../parts.ts'
import type { Section } from '../section.ts'

/** Who changed what. */
export const changes: Section = {
  id: 'changes',
  title: 'Changes by operators',
  render({ changes }) {
    const entries = changes()
    if (entries.length === 0) return null
    return table(
      'The latest changes, and attempts that were refused',
      ['At', 'By', 'From', 'Did', 'Outcome'],
      entries.map(({ at, by, from, method, route, status, outcome, reason }) => [
        instant(Date.parse(at)),
        by,
        from,
        `${method} ${route}`,
        html`<span class="grade ${outcome === 'done' ? 'excellent' : 'poor'}">${outcome}</span> ${status} ${reason ?? ''}`,
      ]),
    )
  },
}
