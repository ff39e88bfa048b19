import { money } from '../../../usage/words.ts'
import { html } from '../html.ts'
import type { Section } from '../section.ts'

/** What would cost less, with its evidence. */
export const suggestions: Section = {
  id: 'suggestions',
  title: 'Suggestions',
  async render({ suggestions }) {
    const all = await suggestions?.()
    if (all === undefined) return null
    if (all.length === 0) return html`<p class="empty">Nothing to suggest: no rule has found evidence.</p>`
    const items = all.map(
      ({ title, evidence, savingUsdPerMonth, change, caution }) => html`<li><h3>${title}</h3>
<p>${evidence}${savingUsdPerMonth === null ? null : html` <strong>Expected: ${money(savingUsdPerMonth)} a month.</strong>`}</p>
${change === '' ? null : html`<pre tabindex="0">${change}</pre>`}
${caution === '' ? null : html`<p class="caution">${caution}</p>`}</li>`,
    )
    return html`<ul class="suggestions">${items}</ul>`
  },
}
