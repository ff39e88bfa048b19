import { formatSize } from '../../../../config/units.ts'
import { count, percent } from '../../../usage/words.ts'
import { html } from '../html.ts'
import { bar, figure } from '../parts.ts'
import type { Section } from '../section.ts'

/** What memory holds. */
export const cache: Section = {
  id: 'cache',
  title: 'Cache',
  async render({ cache }) {
    const state = await cache?.()
    if (state === undefined) return null
    const { entries, maxEntries, bytes, evictions, semanticErrorRate } = state
    return html`<dl class="figures">
${figure('Entries', `${count(entries)} of ${count(maxEntries)}`)}
${figure('Size', formatSize(Math.round(bytes / 1000) * 1000))}
${figure('Evictions', count(evictions))}
${semanticErrorRate === null ? null : figure('Wrong among semantic hits', percent(semanticErrorRate))}
</dl>
<p>${bar(entries / maxEntries, `${percent(entries / maxEntries)} full`)}</p>`
  },
}
