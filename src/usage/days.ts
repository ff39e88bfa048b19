// The `days` of a request, from a query string, a body or the command line.

export const defaultDays = 7
// Ten years: beyond any retention, and far from where dates end.
export const mostDays = 3660

/** A `days` that is none. `message` says what would be right and is safe to show. */
export class BadDays extends Error {
  override name = 'BadDays'
  constructor() {
    super(`days must be a whole number from 1 to ${mostDays}`)
  }
}

/** Reads `days`; absent or empty is 7. Throws BadDays for anything else than 1 … 3660. */
export function readDays(value: unknown): number {
  if (value === undefined || value === null || value === '') return defaultDays
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : ''
  if (!/^\d{1,5}$/.test(text)) throw new BadDays()
  const days = Number(text)
  if (days < 1 || days > mostDays) throw new BadDays()
  return days
}
