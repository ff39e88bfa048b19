// The jobs of the house: their names, their times from gateway.yaml, and what they do.
import { setTimeout as sleep } from 'node:timers/promises'
import type { House } from '../house.ts'
import { mailReport, makeReport } from '../usage/deliver.ts'
import { cronPattern } from './pattern.ts'
import type { Job } from './scheduler.ts'

/** Names of the jobs, in the order of `schedule` in gateway.yaml. */
export const jobNames = ['cacheCleanup', 'ledgerSweep', 'dailyReport', 'weeklyReport'] as const
export type JobName = (typeof jobNames)[number]

const minuteMs = 60_000

/** The jobs that are not `off`. Throws BadSchedule for a time that cannot be read. */
export function jobsOf(house: House): Job[] {
  const { schedule, metering } = house.settings.current
  const work = workOf(house)
  const jobs: Job[] = []
  for (const name of jobNames) {
    const pattern = cronPattern(schedule[name])
    if (pattern === null) continue
    jobs.push({
      name,
      pattern,
      zone: metering.zone,
      // A cleanup that was missed is made up for by the next one; a report is not.
      catchUpMs: name.endsWith('Report') ? schedule.catchUp : 0,
      deadlineMs: 15 * minuteMs,
      run: ({ signal }) => work[name](signal),
    })
  }
  return jobs
}

/** What each job does; the text it resolves to is kept in the history. */
function workOf(house: House): Record<JobName, (signal: AbortSignal) => Promise<string>> {
  const { cacheHolder, desk } = house
  return {
    async cacheCleanup() {
      const removed = await cacheHolder.current?.tiers.cleanup()
      return removed === undefined ? 'there is no cache' : `removed ${JSON.stringify(removed)}`
    },
    async ledgerSweep() {
      if (house.books === null) return 'metering is off'
      return `${await house.books.ledger.sweep(desk.now())} rows past their time removed`
    },
    dailyReport: (signal) => sendReport(house, 1, signal),
    weeklyReport: (signal) => sendReport(house, 7, signal),
  }
}

/** Waits before a mail that failed is sent again, ms. */
const retriesMs = [30_000, 5 * minuteMs]

async function sendReport(house: House, days: number, signal: AbortSignal): Promise<string> {
  const { books, desk, settings } = house
  const config = settings.current
  const { recipients, host } = config.mail
  if (books === null) return 'metering is off'
  if (host === '' || recipients.length === 0) return 'nobody to send it to: mail.host or mail.recipients is empty'
  const { ledger, calendar, prices } = books
  const source = { ledger, calendar, prices, config, now: desk.now }
  const made = await makeReport({ days, completeDays: true }, source)
  const { accepted, rejected } = await retried(() => mailReport(recipients, made, config), signal)
  const refused = rejected.length === 0 ? '' : `; the mail server refused ${rejected.length}`
  return `sent to ${accepted.length}${refused}`
}

/** A mail server is often back within minutes; what fails to the end is in the history and the log. */
async function retried<Result>(send: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  for (const waitMs of retriesMs) {
    try {
      return await send()
    } catch {
      await sleep(waitMs, undefined, { signal })
    }
  }
  return send()
}
