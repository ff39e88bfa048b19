// When a job runs, as people write it: 02:00, hourly, 5m, mon 02:00, or a cron pattern.
import { Cron } from 'croner'

/** A schedule that cannot be read. `message` says what would be right and is safe to show. */
export class BadSchedule extends Error {
  override name = 'BadSchedule'
  constructor(text: string, cause?: unknown) {
    super(
      `${JSON.stringify(text.slice(0, 80))} is no schedule: write off, hourly, daily, weekly, 02:00, mon 02:00, 5m, 2h, or a cron pattern of five fields`,
      { cause },
    )
  }
}

const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const words: Record<string, string> = {
  hourly: '0 * * * *',
  daily: '0 0 * * *',
  weekly: '0 0 * * 1',
  monthly: '0 0 1 * *',
}

/** The cron pattern for `text`; null for `off`. Throws BadSchedule. */
export function cronPattern(text: string): string | null {
  const given = text.trim().toLowerCase()
  if (given === 'off' || given === 'never' || given === '') return null
  const word = words[given]
  if (word) return word
  const clock = /^(?:(sun|mon|tue|wed|thu|fri|sat)[a-z]*\s+)?(\d{1,2}):(\d{2})$/.exec(given)
  if (clock) {
    const [, day, hour, minute] = clock
    if (Number(hour) > 23 || Number(minute) > 59) throw new BadSchedule(text)
    return `${Number(minute)} ${Number(hour)} * * ${day ? weekdays.indexOf(day) : '*'}`
  }
  const every = /^(\d{1,3})(s|m|h)$/.exec(given)
  if (every) return everyPattern(text, Number(every[1]), every[2] ?? '')
  try {
    new Cron(given, { mode: '5-or-6-parts' })
    return given
  } catch (cause) {
    throw new BadSchedule(text, cause)
  }
}

/** Steps have to divide the hour or the day: cron starts anew with each, and the last step would be a short one. */
function everyPattern(text: string, step: number, unit: string): string {
  const whole = unit === 'h' ? 24 : 60
  if (step < 1 || step > whole || whole % step !== 0) throw new BadSchedule(text)
  if (unit === 's') return step === 60 ? '* * * * *' : `*/${step} * * * * *`
  if (unit === 'm') return step === 60 ? '0 * * * *' : `*/${step} * * * *`
  return step === 24 ? '0 0 * * *' : `0 */${step} * * *`
}
