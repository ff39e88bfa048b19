// Job runs in SQLite, for the replicas of one machine.
import type { SQLOutputValue } from 'node:sqlite'
import { openSqlite, type Sqlite } from '../storage/sqlite.ts'
import { type JobRun, type JobStore, longestDetail } from './job-store.ts'

const migrations = [
  `CREATE TABLE job_run (
     job TEXT NOT NULL, scheduled_for INTEGER NOT NULL, owner TEXT NOT NULL, lease_until INTEGER NOT NULL,
     started INTEGER NOT NULL, finished INTEGER, outcome TEXT NOT NULL, detail TEXT NOT NULL,
     PRIMARY KEY (job, scheduled_for)
   ) WITHOUT ROWID;`,
]

/** Opens the file of job runs; ':memory:' for one that is gone when closed. */
export function openJobFile(path: string, onQuarantine: (moved: string, cause: Error) => void): Sqlite {
  return openSqlite({ path, migrations, onQuarantine })
}

/** Takes over `sqlite`, which has to come from openJobFile, and closes it. */
export function createSqliteJobStore(sqlite: Sqlite): JobStore {
  const { db } = sqlite
  const claim = db.prepare(
    `INSERT INTO job_run (job, scheduled_for, owner, lease_until, started, finished, outcome, detail)
     VALUES (?, ?, ?, ?, ?, NULL, 'running', '')
     ON CONFLICT (job, scheduled_for) DO UPDATE SET
       owner = excluded.owner, lease_until = excluded.lease_until, started = excluded.started
     WHERE finished IS NULL AND lease_until <= excluded.started`,
  )
  // A run that was taken over is no longer its first owner's to finish.
  const finish = db.prepare(
    `UPDATE job_run SET finished = ?, outcome = ?, detail = ?
     WHERE job = ? AND scheduled_for = ? AND owner = ? AND finished IS NULL`,
  )
  const last = db.prepare('SELECT * FROM job_run WHERE job = ? ORDER BY scheduled_for DESC LIMIT 1')
  const history = db.prepare(
    'SELECT * FROM job_run WHERE (?1 IS NULL OR job = ?1) ORDER BY started DESC, scheduled_for DESC LIMIT ?2',
  )
  const prune = db.prepare('DELETE FROM job_run WHERE scheduled_for < ? AND finished IS NOT NULL')

  return {
    async claim(run) {
      const { changes } = claim.run(run.job, run.scheduledForMs, run.owner, run.nowMs + run.leaseMs, run.nowMs)
      return changes === 1
    },
    async finish(run) {
      const detail = run.detail.slice(0, longestDetail)
      finish.run(run.nowMs, run.failed ? 'failed' : 'done', detail, run.job, run.scheduledForMs, run.owner)
    },
    async last(job) {
      const row = last.get(job)
      return row ? runOf(row) : null
    },
    async history(job, limit) {
      return history.all(job, limit).map(runOf)
    },
    async prune(beforeMs) {
      prune.run(beforeMs)
    },
    async close() {
      sqlite.close()
    },
  }
}

function runOf(row: Record<string, SQLOutputValue>): JobRun {
  return {
    job: String(row.job),
    scheduledForMs: Number(row.scheduled_for),
    owner: String(row.owner),
    startedMs: Number(row.started),
    finishedMs: row.finished === null ? null : Number(row.finished),
    outcome: row.outcome === 'done' || row.outcome === 'failed' ? row.outcome : 'running',
    detail: String(row.detail),
  }
}
