// A report for a terminal or the text part of a mail.
import type { Report } from './report-data.ts'
import { sectionsOf } from './report-sections.ts'
import type { Suggestion } from './suggest.ts'
import { printable } from './words.ts'

/** Plain text without colours; nothing in it can steer a terminal. */
export function reportText(report: Report, suggestions: Suggestion[] = []): string {
  const lines = [`${titleOf(report)}`, '']
  for (const { title, columns, rows } of sectionsOf(report, suggestions)) {
    lines.push(title, '-'.repeat(title.length))
    lines.push(
      ...table(
        columns,
        rows.map((row) => row.map(printable)),
      ),
      '',
    )
  }
  return `${lines.join('\n').trimEnd()}\n`
}

/** One line that names the report. */
export function titleOf(report: Report): string {
  const whose = report.tenant === null ? '' : ` of ${printable(report.tenant)}`
  const period = report.from === report.to ? report.from : `${report.from} to ${report.to}`
  return `Castor usage report${whose}, ${period} (${report.zone})`
}

/** Columns padded to their widest cell; the first to the left, figures to the right. Pairs go below each other. */
function table(columns: string[], rows: string[][]): string[] {
  const all = columns.length > 0 ? [columns, ...rows] : rows
  const widths: number[] = []
  for (const row of all) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length)
  }
  const pairs = columns.length === 0
  return all.map((row) =>
    row
      .map((cell, at) =>
        at === 0 || pairs || !/\d|n\/a/.test(cell) ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
}
