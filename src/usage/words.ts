// How figures are written for people: the same in text, HTML, mail and command line.
import type { Grade } from './grade.ts'

/** $1,234.56; below a cent as many digits as tell something. */
export function money(usd: number): string {
  const size = Math.abs(usd)
  const sign = usd < 0 ? '-' : ''
  if (size >= 0.01 || size === 0)
    return `${sign}$${size.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`
  return `${sign}$${size.toLocaleString('en-US', { maximumSignificantDigits: 2, maximumFractionDigits: 9 })}`
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

export function percent(value: number | null): string {
  return value === null ? 'n/a' : `${(value * 100).toFixed(1)} %`
}

/** A change with its sign: +12.3 %. */
export function change(value: number | null): string {
  if (value === null) return 'n/a'
  return `${value >= 0 ? '+' : ''}${(value * 100).toFixed(1)} %`
}

export function duration(ms: number | null): string {
  if (ms === null) return 'n/a'
  if (ms < 1000) return `${Math.round(ms)} ms`
  return ms < 60_000 ? `${(ms / 1000).toFixed(2)} s` : `${(ms / 60_000).toFixed(1)} min`
}

export const gradeWords: Record<Grade, string> = {
  excellent: 'excellent',
  good: 'on target',
  poor: 'below target',
  none: 'no data',
}

/** Text from outside, made harmless for a terminal and a log: no escape sequence, no line break, no bidi trick. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '')
}
