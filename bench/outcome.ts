/** A figure that the gateway has promised. */
export interface Promised {
  what: string
  value: number
  /** the most that is allowed */
  limit: number
  unit: string
}

/** What a benchmark found. */
export interface Outcome {
  title: string
  columns: readonly string[]
  rows: readonly (readonly string[])[]
  promised: readonly Promised[]
}

export function isKept({ value, limit }: Promised): boolean {
  return value <= limit
}

/** The outcome as text: a table, and below it each promise with what came of it. */
export function renderOutcome({ title, columns, rows, promised }: Outcome): string {
  const table = [columns, ...rows]
  const widths = columns.map((_, column) => Math.max(...table.map((row) => (row[column] ?? '').length)))
  const lines = table.map((row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))),
  )
  const kept = promised.map((one) =>
    `${isKept(one) ? 'kept' : 'BROKEN'}: ${one.what} ${figure(one.value)} ${one.unit} (at most ${one.limit})`.replaceAll(
      '  ',
      ' ',
    ),
  )
  return [title, ...lines.map((cells) => `  ${cells.join('  ')}`), ...kept.map((line) => `  ${line}`), ''].join('\n')
}

/** A figure in as many digits as tell something. */
export function figure(value: number): string {
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}
