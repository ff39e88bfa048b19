import { type Html, html } from './html.ts'
import { table } from './parts.ts'

export interface Series {
  label: string
  /** null where there is nothing to tell */
  values: readonly (number | null)[]
  /** which colour of the style sheet, 1 to 4 */
  colour: 1 | 2 | 3 | 4
}

export interface Chart {
  /** unique on the page */
  id: string
  caption: string
  /** what it shows, in a sentence, for those who do not see it */
  summary: string
  /** seconds since the epoch */
  times: readonly number[]
  /** how an instant is written in the table */
  timeText(seconds: number): string
  series: readonly Series[]
  /** how values are written, in the table and on the axis */
  unit: 'count' | 'ms' | 'usd'
  /** the instants are calendar days, at 00:00 UTC */
  days?: boolean
  text(value: number): string
}

/**
 * A chart for uPlot, which the script draws from `data-chart`, with the same figures as a table. Instants without any figure are left out
 * of the table.
 */
export function chart({ id, caption, summary, times, timeText, series, unit, days = false, text }: Chart): Html {
  const data = {
    unit,
    days,
    times,
    series: series.map(({ label, colour, values }) => ({ label, colour, values })),
  }
  const rows = times.flatMap((time, index) => {
    const values = series.map(({ values }) => values[index] ?? null)
    if (values.every((value) => value === null || value === 0)) return []
    return [[timeText(time), ...values.map((value) => (value === null ? '' : text(value)))]]
  })
  return html`<figure class="chart" id="${id}">
<figcaption>${caption}</figcaption>
<div class="plot" role="img" aria-label="${summary}" data-chart="${JSON.stringify(data)}"></div>
<details id="${id}-table"><summary>As a table</summary>
${table(
  caption,
  ['Time', ...series.map(({ label }) => label)],
  rows,
  series.map((_, index) => index + 1),
)}
</details>
</figure>`
}
