// A report as one HTML page that mail programs show: tables and inline styles only, nothing loaded, nothing executed.
import type { Report } from './report-data.ts'
import { type Section, sectionsOf } from './report-sections.ts'
import { titleOf } from './report-text.ts'
import type { Suggestion } from './suggest.ts'
import { gradeWords, printable } from './words.ts'

// Mail programs drop style sheets and classes, so every cell carries its own style.
const page =
  'margin:0;padding:24px;background:#ffffff;color:#1a1a1a;font:14px/1.5 -apple-system,Segoe UI,Arial,sans-serif'
const tableStyle = 'border-collapse:collapse;margin:0 0 8px;max-width:100%'
const cellStyle = 'padding:4px 12px 4px 0;border-bottom:1px solid #e5e5e5;text-align:left;vertical-align:top'
const colours: Record<string, string> = {
  [gradeWords.excellent]: '#0b6b3a',
  [gradeWords.good]: '#0b5394',
  [gradeWords.poor]: '#a61b1b',
}

/** A whole HTML document; every text from outside is escaped. */
export function reportHtml(report: Report, suggestions: Suggestion[] = []): string {
  const title = escapeHtml(titleOf(report))
  const body = sectionsOf(report, suggestions).map(sectionHtml).join('\n')
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title></head>
<body style="${page}">
<h1 style="font-size:20px;margin:0 0 16px">${title}</h1>
${body}
</body></html>
`
}

function sectionHtml({ title, columns, rows }: Section): string {
  const head = columns.length === 0 ? '' : `<tr>${columns.map((text) => cell('th', text)).join('')}</tr>`
  const lines = rows.map((row) => `<tr>${row.map((text) => cell('td', text)).join('')}</tr>`).join('\n')
  return `<h2 style="font-size:16px;margin:24px 0 8px">${escapeHtml(title)}</h2>
<table style="${tableStyle}">${head}
${lines}</table>`
}

function cell(tag: 'th' | 'td', text: string): string {
  const colour = tag === 'td' ? colours[text] : undefined
  const style = colour === undefined ? cellStyle : `${cellStyle};color:${colour};font-weight:bold`
  return `<${tag} style="${style}">${escapeHtml(printable(text))}</${tag}>`
}

/** Text as it may stand in HTML content and in a quoted attribute. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
