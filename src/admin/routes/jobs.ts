import { Type } from 'typebox'
import { GatewayError } from '../../gemini/errors.ts'
import type { House } from '../../house.ts'
import type { JobRun } from '../../schedule/job-store.ts'
import { jobNames } from '../../schedule/jobs.ts'
import type { Scheduler } from '../../schedule/scheduler.ts'
import { defineRoute } from '../route.ts'

const instant = Type.Union([Type.String({ format: 'date-time' }), Type.Null()])
const run = Type.Object({
  job: Type.String(),
  scheduledFor: instant,
  startedAt: instant,
  finishedAt: instant,
  owner: Type.String({ description: 'the process that did it' }),
  outcome: Type.Enum(['running', 'done', 'failed']),
  detail: Type.String(),
})

export const showJobs = defineRoute({
  method: 'GET',
  path: '/jobs/',
  scope: 'read',
  summary: 'What runs by the clock: when next, and how the latest runs went',
  responseSchema: Type.Object({
    jobs: Type.Array(
      Type.Object({
        name: Type.String(),
        pattern: Type.String({ description: 'cron' }),
        zone: Type.String(),
        running: Type.Boolean(),
        nextAt: instant,
        last: Type.Union([run, Type.Null()]),
      }),
    ),
    history: Type.Array(run),
  }),
  async handler(_input, house) {
    const scheduler = schedulerOf(house)
    const [states, history] = await Promise.all([scheduler.states(), scheduler.history(null, shownRuns)])
    const jobs = states.map(({ name, pattern, zone, running, nextMs, last }) => {
      return { name, pattern, zone, running, nextAt: iso(nextMs), last: last === null ? null : shownRun(last) }
    })
    return { jobs, history: history.map(shownRun) }
  },
})

export const runJob = defineRoute({
  method: 'POST',
  path: '/jobs/run/',
  scope: 'operate',
  summary: 'Runs a job now, beside its schedule, and tells how it went',
  bodySchema: Type.Object({ job: Type.Enum([...jobNames]) }, { additionalProperties: false }),
  responseSchema: run,
  async handler({ body }, house) {
    const scheduler = schedulerOf(house)
    if (!(await scheduler.runNow(body.job))) {
      const message = `The job ${body.job} is running already, or off in gateway.yaml (schedule.${body.job}).`
      throw new GatewayError('CASTOR_BAD_PARAMETER', message, {
        violations: [{ field: 'job', description: message }],
      })
    }
    const [latest] = await scheduler.history(body.job, 1)
    return latest === undefined ? null : shownRun(latest)
  },
})

const shownRuns = 50

function schedulerOf({ scheduler }: Pick<House, 'scheduler'>): Scheduler {
  if (scheduler !== null) return scheduler
  throw new GatewayError('CASTOR_USAGE_UNAVAILABLE', 'The file of jobs cannot be opened, so nothing runs by the clock.')
}

function shownRun({ job, scheduledForMs, startedMs, finishedMs, owner, outcome, detail }: JobRun) {
  const times = { scheduledFor: iso(scheduledForMs), startedAt: iso(startedMs), finishedAt: iso(finishedMs) }
  return { job, ...times, owner, outcome, detail }
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
