// CSV that no spreadsheet executes.

/**
 * One line of RFC 4180 CSV with CRLF. A text that a spreadsheet would take for a formula (it starts with = + - @, tab or
 * carriage return, also behind blanks and quotes) gets an apostrophe in front; numbers stay numbers.
 */
export function csvLine(cells: (string | number | null)[]): string {
  return `${cells.map(cell).join(',')}\r\n`
}

function cell(value: string | number | null): string {
  if (value === null) return ''
  if (typeof value === 'number') return Number.isFinite(value) ? plainNumber(value) : ''
  const safe = /^[\s"']*[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Without exponent, which some importers read as text; twelve decimals reach below a nano-USD. */
function plainNumber(value: number): string {
  if (Number.isInteger(value)) return String(value)
  return value.toFixed(12).replace(/\.?0+$/, '')
}

/** Reads CSV: quotes, doubled quotes, CRLF or LF, a BOM. Lines that are empty are left out. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let value = ''
  let quoted = false
  const endRow = (): void => {
    row.push(value)
    if (row.length > 1 || row[0] !== '') rows.push(row)
    row = []
    value = ''
  }
  for (let at = text.startsWith('\ufeff') ? 1 : 0; at < text.length; at += 1) {
    const char = text[at]
    if (quoted) {
      if (char !== '"') value += char
      else if (text[at + 1] === '"') {
        value += '"'
        at += 1
      } else quoted = false
    } else if (char === '"') quoted = true
    else if (char === ',') {
      row.push(value)
      value = ''
    } else if (char === '\n') endRow()
    else if (char !== '\r') value += char
  }
  endRow()
  return rows
}
