/**
 * Stands between requests and a store that may be slow or dead: every call has a deadline, a failing store is left
 * alone, tried again in the background at growing distances, and reported when its state changes, not at every call.
 */
export type After = (ms: number, job: () => void) => () => void

export type GuardOptions = {
  /** Longer than this is a failure, ms. */
  deadlineMs: number
  /** Asks the store for a sign of life. */
  probe: () => Promise<unknown>
  /** `away` with the failure that tipped it, `back` without. */
  onState?: (state: 'away' | 'back', cause?: unknown) => void
  /** Runs a job once, later; returns its cancellation. */
  after?: After
}

/** A write may take longer than a look-up: nobody waits for it. */
export const WRITE_DEADLINE_MS = 5000

/** One failure may be an accident. */
const FAILURES = 3
const FIRST_RETRY_MS = 250
const LAST_RETRY_MS = 30_000

/** Timers that do not keep the process alive. */
export const afterMs: After = (ms, job) => {
  const timer = setTimeout(job, ms)
  timer.unref()
  return () => clearTimeout(timer)
}

export function createGuard(options: GuardOptions) {
  const after = options.after ?? afterMs
  let failures = 0
  let away = false
  let retryMs = FIRST_RETRY_MS
  let cancelRetry = () => {}
  const counts = { late: 0, errors: 0 }

  /** The job's result; undefined when the store is away, fails or is late. A late result is dropped. */
  async function run<T>(job: () => Promise<T>, deadlineMs = options.deadlineMs): Promise<T | undefined> {
    return away ? undefined : await attempt(job, deadlineMs)
  }

  async function attempt<T>(job: () => Promise<T>, deadlineMs: number): Promise<T | undefined> {
    let cancel = () => {}
    const late = Symbol('late')
    try {
      const deadline = new Promise<typeof late>((resolve) => {
        cancel = after(deadlineMs, () => resolve(late))
      })
      const result = await Promise.race([job(), deadline])
      if (result === late) {
        counts.late++
        failed(new Error(`the store did not answer within ${deadlineMs} ms`))
        return undefined
      }
      failures = 0
      // The deadline's symbol was sorted out above; the compiler does not narrow unique symbols through race.
      return result as T
    } catch (error) {
      counts.errors++
      failed(error)
      return undefined
    } finally {
      cancel()
    }
  }

  function failed(cause: unknown): void {
    failures++
    if (away || failures < FAILURES) return
    away = true
    options.onState?.('away', cause)
    retryLater()
  }

  function retryLater(): void {
    cancelRetry = after(retryMs, () => void retry())
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)
  }

  async function retry(): Promise<void> {
    let alive = false
    await attempt(
      async () => {
        await options.probe()
        alive = true
      },
      Math.max(options.deadlineMs, 1000),
    )
    if (!alive) {
      retryLater()
      return
    }
    away = false
    failures = 0
    retryMs = FIRST_RETRY_MS
    options.onState?.('back')
  }

  return { run, isAway: () => away, counts, close: () => cancelRetry() }
}

export type Guard = ReturnType<typeof createGuard>
