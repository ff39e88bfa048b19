// Which run of which job has been done, and by whom. The row is the lock.

/** One run of a job. `scheduledForMs` names it: two replicas, or two starts, that mean the same run mean the same row. */
export interface JobRun {
  job: string
  scheduledForMs: number
  owner: string
  startedMs: number
  finishedMs: number | null
  outcome: 'running' | 'done' | 'failed'
  /** What the job said of itself, or the error's message; at most 500 characters. */
  detail: string
}

export interface JobStore {
  /** true when this owner may do the run. One whose owner died may be claimed again after its lease. */
  claim(run: { job: string; scheduledForMs: number; owner: string; nowMs: number; leaseMs: number }): Promise<boolean>
  finish(run: {
    job: string
    scheduledForMs: number
    owner: string
    nowMs: number
    failed: boolean
    detail: string
  }): Promise<void>
  /** The latest run that was claimed; null when there never was one. */
  last(job: string): Promise<JobRun | null>
  /** Latest first. */
  history(job: string | null, limit: number): Promise<JobRun[]>
  /** Drops finished runs that were scheduled before this instant. */
  prune(beforeMs: number): Promise<void>
  close(): Promise<void>
}

export const longestDetail = 500
