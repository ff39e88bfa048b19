import { percent } from '../../../usage/words.ts'
import { html } from '../html.ts'
import { bar, table } from '../parts.ts'
import type { Section } from '../section.ts'

/** How much of each budget is used, the fullest first. */
export const budgets: Section = {
  id: 'budgets',
  title: 'Budgets',
  async render({ budgets }) {
    const all = await budgets?.()
    if (all === undefined) return null
    if (all.length === 0) return html`<p class="empty">No budget is set, or none was used yet.</p>`
    const rows = all
      .toSorted((a, b) => b.share - a.share)
      .map(({ rule, subject, period, share, softShare, usedText, limitText }) => [
        rule,
        subject === '' ? 'everybody' : subject,
        period,
        bar(share, percent(share), { high: softShare }),
        `${usedText} of ${limitText}`,
      ])
    return table('Budgets, the fullest first', ['Budget', 'Of', 'Per', 'Used', ''], rows)
  },
}
