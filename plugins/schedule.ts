// Schedule: what runs by the clock: cleaning memory, sweeping the books, reports. Beside the pipeline, since no request passes here; after
// it, since the jobs use what its plugins have opened.
import { hostname } from 'node:os'
import { join } from 'node:path'
import fp from 'fastify-plugin'
import { createSqliteJobStore, openJobFile } from '../src/schedule/job-store-sqlite.ts'
import { jobsOf } from '../src/schedule/jobs.ts'
import { createScheduler } from '../src/schedule/scheduler.ts'

export default fp(
  async function schedule(app) {
    const house = app.castor
    const { dataDir } = house.settings.current
    let store: ReturnType<typeof createSqliteJobStore>
    try {
      store = createSqliteJobStore(
        openJobFile(join(dataDir, 'jobs.db'), (moved, cause) =>
          app.log.warn({ moved, err: cause }, 'a broken file of jobs was put aside'),
        ),
      )
    } catch (error) {
      // Answers go on without clock and broom.
      app.log.error({ err: error }, 'no job runs by the clock: their file cannot be opened')
      house.desk.parts.set('schedule', () => ({ status: 'down', message: 'the file of jobs cannot be opened' }))
      return
    }
    const scheduler = createScheduler({
      jobs: jobsOf(house),
      store,
      owner: `${hostname()}:${process.pid}`,
      now: house.desk.now,
      onError: (job, error) => app.log.error({ err: error, job }, 'a job failed'),
    })
    house.scheduler = scheduler
    house.desk.parts.set('schedule', async () => {
      const states = await scheduler.states()
      const failed = states.filter(({ last }) => last?.outcome === 'failed').map(({ name }) => name)
      return { status: failed.length === 0 ? 'ok' : 'degraded', jobs: states.length, failed }
    })
    // A gateway that only builds (a test, a check) runs nothing.
    app.addHook('onListen', async () => scheduler.start())
    app.addHook('onClose', async () => {
      await scheduler.stop()
      await store.close()
    })
  },
  { name: 'castor-schedule', dependencies: ['castor-health'] },
)
