import { count } from '../../../usage/words.ts'
import { html } from '../html.ts'
import { bar, instant, table } from '../parts.ts'
import type { Section } from '../section.ts'

/** Bulk work and how far it is. */
export const batches: Section = {
  id: 'batches',
  title: 'Batches',
  async render({ batches }) {
    const all = await batches?.()
    if (all === undefined) return null
    if (all.length === 0) return html`<p class="empty">No batch has been submitted.</p>`
    return table(
      'Batches',
      ['Batch', 'Name', 'State', 'Progress', 'Failed', 'Ready'],
      all.map(({ id, name, state, total, done, failed, readyAtMs }) => [
        id,
        name,
        state,
        bar(total === 0 ? 1 : done / total, `${count(done)} of ${count(total)}`),
        count(failed),
        readyAtMs === null ? '' : instant(readyAtMs),
      ]),
      [4],
    )
  },
}
