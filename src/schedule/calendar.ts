// Calendar days and hours in a time zone, as instants. A day has 23 or 25 hours when the clocks change.

export const hourMs = 3_600_000
export const dayMs = 86_400_000
// No zone changes its offset off a quarter of an hour, so one offset per quarter may be remembered.
const slotMs = 900_000
const remembered = 8192

/** A calendar of one IANA zone. All instants are ms since the epoch. */
export interface Calendar {
  zone: string
  /** Local time minus UTC at this instant, ms. */
  offset(atMs: number): number
  /** The start of the local hour that holds this instant. */
  hourStart(atMs: number): number
  /** The start of the local day that holds this instant. */
  dayStart(atMs: number): number
  /** The start of the day `days` calendar days after the one that holds this instant; negative for before. */
  addDays(atMs: number, days: number): number
  /** YYYY-MM-DD, local. */
  date(atMs: number): string
  /** The hour of the local day, 0 … 23. */
  hourOfDay(atMs: number): number
  /** YYYY-MM, local. */
  month(atMs: number): string
  /** The start of the local month that holds this instant. */
  monthStart(atMs: number): number
  /** The start of a local day given as YYYY-MM-DD; NaN when it is no date. */
  startOf(date: string): number
}

/** Makes a calendar; throws RangeError for a name that is no zone. */
export function createCalendar(zone: string): Calendar {
  const format = new Intl.DateTimeFormat('en-US-u-ca-iso8601', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  const offsets = new Map<number, number>()

  function offset(atMs: number): number {
    const slot = Math.floor(atMs / slotMs)
    const known = offsets.get(slot)
    if (known !== undefined) return known
    const found = measure(slot * slotMs)
    if (offsets.size >= remembered) offsets.delete(offsets.keys().next().value ?? 0)
    offsets.set(slot, found)
    return found
  }

  function measure(atMs: number): number {
    const parts: Record<string, number> = {}
    for (const part of format.formatToParts(atMs)) parts[part.type] = Number(part.value)
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
    return Date.UTC(year, month - 1, day, hour, minute, second) - atMs
  }

  /** The first instant of the day whose local midnight, read as UTC, is `midnight`. */
  function firstInstant(midnight: number): number {
    const before = offset(midnight - dayMs)
    const early = midnight - before
    if (offset(early) === before) return early
    const after = offset(midnight + dayMs)
    const late = midnight - after
    // Where the clocks skip midnight the day begins with the change itself, which is midnight by the old offset.
    return offset(late) === after ? late : early
  }

  const local = (atMs: number): number => atMs + offset(atMs)
  const midnight = (atMs: number): number => Math.floor(local(atMs) / dayMs) * dayMs
  const iso = (atMs: number): string => new Date(local(atMs)).toISOString()

  return {
    zone,
    offset,
    hourStart: (atMs) => Math.floor(local(atMs) / hourMs) * hourMs - offset(atMs),
    dayStart: (atMs) => firstInstant(midnight(atMs)),
    addDays: (atMs, days) => firstInstant(midnight(atMs) + days * dayMs),
    date: (atMs) => iso(atMs).slice(0, 10),
    hourOfDay: (atMs) => new Date(local(atMs)).getUTCHours(),
    month: (atMs) => iso(atMs).slice(0, 7),
    monthStart: (atMs) => firstInstant(Date.parse(`${iso(atMs).slice(0, 7)}-01T00:00:00Z`)),
    startOf(date) {
      const at = /^\d{4}-\d{2}-\d{2}$/.test(date) ? Date.parse(`${date}T00:00:00Z`) : Number.NaN
      return Number.isNaN(at) ? Number.NaN : firstInstant(at)
    },
  }
}
