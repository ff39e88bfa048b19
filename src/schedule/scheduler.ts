// Runs jobs at their times: once across replicas and restarts, on the zone's clock, caught up after downtime.
import { Cron } from 'croner'
import type { JobRun, JobStore } from './job-store.ts'

export interface Job {
  name: string
  /** From cronPattern. */
  pattern: string
  zone: string
  /** A run missed by at most this long is made up for, once, and only if the job has run before. 0: never. */
  catchUpMs: number
  /** The run is given up after this long; also the lease after which another replica may take over. */
  deadlineMs: number
  /** What to do; the text it resolves to is kept in the history. `signal` aborts at the deadline and at shutdown. */
  run: (context: { scheduledForMs: number; signal: AbortSignal }) => Promise<string | undefined>
}

export interface JobState {
  name: string
  pattern: string
  zone: string
  running: boolean
  nextMs: number | null
  last: JobRun | null
}

export interface Scheduler {
  start(): void
  /** Does what is due now; resolves when it is done. The timer calls it, and so may a test. */
  tick(): Promise<void>
  /** Runs a job now, beside its schedule; false when there is none of that name or it is running here. */
  runNow(name: string): Promise<boolean>
  states(): Promise<JobState[]>
  history(name: string | null, limit: number): Promise<JobRun[]>
  /** No new run begins, running ones are aborted, and awaited until `graceMs` are over. */
  stop(graceMs?: number): Promise<void>
}

export interface SchedulerOptions {
  jobs: Job[]
  store: JobStore
  /** Names this process in the history. */
  owner: string
  now?: () => number
  onError?: (job: string, error: unknown) => void
}

// A clock may be set, and a long timer sleeps through it: look at least this often.
const longestSleepMs = 30_000

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { jobs, store, owner, now = Date.now } = options
  const crons = new Map(jobs.map((job) => [job.name, new Cron(job.pattern, { timezone: job.zone, paused: true })]))
  const running = new Map<string, { abort: AbortController; done: Promise<void> }>()
  // Times up to here have been looked at by this process.
  const seen = new Map<string, number>()
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  function nextAfter(job: Job, atMs: number): number | null {
    return crons.get(job.name)?.nextRun(new Date(atMs))?.getTime() ?? null
  }

  /** The latest time of the job in (fromMs, toMs]. Older ones are not made up for: one report for yesterday is enough. */
  function latestDue(job: Job, fromMs: number, toMs: number): number | null {
    let found: number | null = null
    let next = nextAfter(job, fromMs)
    // Bounded: a job of every second that slept for a day.
    for (let steps = 0; next !== null && next <= toMs && steps < 100_000; steps += 1) {
      found = next
      next = nextAfter(job, next)
    }
    return found
  }

  async function tick(): Promise<void> {
    const nowMs = now()
    await Promise.all(jobs.map((job) => consider(job, nowMs).catch((error) => options.onError?.(job.name, error))))
  }

  async function consider(job: Job, nowMs: number): Promise<void> {
    if (stopped || running.has(job.name)) return
    const sinceMs = seen.get(job.name)
    if (sinceMs === undefined) {
      seen.set(job.name, nowMs)
      const last = await store.last(job.name)
      if (!last) return
      const due = latestDue(job, Math.max(last.scheduledForMs, nowMs - job.catchUpMs), nowMs)
      // The latest run itself may have died with its process.
      const unfinished = last.outcome === 'running' && nowMs - last.scheduledForMs <= job.catchUpMs
      if (due !== null) await claimAndRun(job, due)
      // Its lease may still run: look again until it is over, or somebody has finished it.
      else if (unfinished && !(await claimAndRun(job, last.scheduledForMs))) seen.delete(job.name)
      return
    }
    const due = latestDue(job, sinceMs, nowMs)
    if (due === null) return
    seen.set(job.name, nowMs)
    if (nowMs - due > Math.max(job.catchUpMs, 2 * longestSleepMs)) return
    await claimAndRun(job, due)
  }

  async function claimAndRun(job: Job, scheduledForMs: number): Promise<boolean> {
    if (stopped || running.has(job.name)) return false
    const abort = new AbortController()
    const { promise: done, resolve } = Promise.withResolvers<void>()
    running.set(job.name, { abort, done })
    try {
      const run = { job: job.name, scheduledForMs, owner }
      if (!(await store.claim({ ...run, nowMs: now(), leaseMs: job.deadlineMs }))) return false
      const { failed, detail } = await perform(job, scheduledForMs, abort)
      await store.finish({ ...run, nowMs: now(), failed, detail })
      return true
    } finally {
      running.delete(job.name)
      resolve()
    }
  }

  async function perform(
    job: Job,
    scheduledForMs: number,
    abort: AbortController,
  ): Promise<{ failed: boolean; detail: string }> {
    const { promise: over, reject } = Promise.withResolvers<never>()
    const deadline = setTimeout(() => abort.abort(new Error(`not done within ${job.deadlineMs} ms`)), job.deadlineMs)
    abort.signal.addEventListener('abort', () => reject(abort.signal.reason), { once: true })
    try {
      const detail = await Promise.race([job.run({ scheduledForMs, signal: abort.signal }), over])
      return { failed: false, detail: detail ?? '' }
    } catch (error) {
      options.onError?.(job.name, error)
      return { failed: true, detail: error instanceof Error ? error.message : String(error) }
    } finally {
      clearTimeout(deadline)
    }
  }

  function sleep(): void {
    if (stopped) return
    const nowMs = now()
    let wakeMs = nowMs + longestSleepMs
    for (const job of jobs) wakeMs = Math.min(wakeMs, nextAfter(job, nowMs) ?? wakeMs)
    timer = setTimeout(
      () => {
        // A long run must not hold up the other jobs, so the next sleep does not wait for this tick.
        void tick()
        sleep()
      },
      Math.max(10, wakeMs - nowMs),
    )
    timer.unref()
  }

  return {
    start() {
      void tick()
      sleep()
    },
    tick,
    async runNow(name) {
      const job = jobs.find((each) => each.name === name)
      return job ? claimAndRun(job, now()) : false
    },
    async states() {
      return Promise.all(
        jobs.map(async (job) => ({
          name: job.name,
          pattern: job.pattern,
          zone: job.zone,
          running: running.has(job.name),
          nextMs: nextAfter(job, now()),
          last: await store.last(job.name),
        })),
      )
    },
    history: (name, limit) => store.history(name, limit),
    async stop(graceMs = 5_000) {
      stopped = true
      clearTimeout(timer)
      const pending = [...running.values()]
      for (const { abort } of pending) abort.abort(new Error('the gateway is stopping'))
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const grace = setTimeout(resolve, graceMs)
      await Promise.race([Promise.all(pending.map(({ done }) => done)), late])
      clearTimeout(grace)
    },
  }
}
