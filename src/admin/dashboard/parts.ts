// What sections are made of.
import { type Grade, type Graded, grade, thresholds } from '../../usage/grade.ts'
import { gradeWords } from '../../usage/words.ts'
import { type Html, html } from './html.ts'

type Cell = string | number | Html

/**
 * A table that scrolls sideways by itself, so that the page never does.
 * @param numeric indexes of the columns of numbers
 */
export function table(
  caption: string,
  columns: readonly string[],
  rows: readonly Cell[][],
  numeric: number[] = [],
): Html {
  const kind = (index: number): string => (numeric.includes(index) ? 'number' : 'text')
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table>
<caption>${caption}</caption>
<thead><tr>${columns.map((name, index) => html`<th scope="col" class="${kind(index)}">${name}</th>`)}</tr></thead>
<tbody>${rows.map((cells) => html`<tr>${cells.map((cell, index) => html`<td class="${kind(index)}">${cell}</td>`)}</tr>`)}</tbody>
</table></div>`
}

/** A figure with its name, and its grade where it has one. */
export function figure(name: string, value: string, graded: Html | null = null): Html {
  return html`<div class="figure"><dt>${name}</dt><dd><span class="value">${value}</span>${graded}</dd></div>`
}

/** The grade in words; the colour only repeats it. */
export function graded(name: Graded, value: number | null): Html {
  const result: Grade = grade(name, value)
  return html`<span class="grade ${result}" title="Target: ${thresholds[name].target}">${gradeWords[result]}</span>`
}

/** An instant: UTC in the page, local time once the script runs. */
export function instant(ms: number | null): Html {
  if (ms === null) return html`<span class="empty">never</span>`
  const iso = new Date(ms).toISOString()
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')} UTC</time>`
}

/** A share as a bar, with the same in words for those who do not see it. */
export function bar(share: number, text: string, limits: { high: number } | null = null): Html {
  const value = Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0))
  const shown = value.toFixed(3)
  return limits === null
    ? html`<progress max="1" value="${shown}"></progress> ${text}`
    : html`<meter min="0" max="1" low="${limits.high}" high="0.999" optimum="0" value="${shown}"></meter> ${text}`
}
