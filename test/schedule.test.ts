import { join } from 'node:path'
import t from 'tap'
import { createCalendar } from '../src/schedule/calendar.ts'
import type { JobStore } from '../src/schedule/job-store.ts'
import { createSqliteJobStore, openJobFile } from '../src/schedule/job-store-sqlite.ts'
import { BadSchedule, cronPattern } from '../src/schedule/pattern.ts'
import { createScheduler, type Job } from '../src/schedule/scheduler.ts'

const minute = 60_000
const hour = 60 * minute

function openStore(path = ':memory:'): JobStore {
  return createSqliteJobStore(openJobFile(path, () => {}))
}

interface World {
  clock: { ms: number }
  ran: string[]
  /** A replica of the gateway; all share the store. */
  replica(owner: string, job?: Partial<Job>): ReturnType<typeof createScheduler>
}

function world(store: JobStore, at: string): World {
  const clock = { ms: Date.parse(at) }
  const ran: string[] = []
  return {
    clock,
    ran,
    replica(owner, job = {}) {
      return createScheduler({
        store,
        owner,
        now: () => clock.ms,
        jobs: [
          {
            name: 'report',
            pattern: '0 2 * * *',
            zone: 'Europe/Berlin',
            catchUpMs: 12 * hour,
            deadlineMs: 10 * minute,
            async run({ scheduledForMs }) {
              ran.push(`${owner} ${new Date(scheduledForMs).toISOString()}`)
              return 'sent'
            },
            ...job,
          },
        ],
      })
    },
  }
}

t.test('a run happens once, however many replicas there are', async (t) => {
  const store = openStore()
  const { clock, ran, replica } = world(store, '2026-11-20T00:00:00Z')
  const replicas = ['a', 'b', 'c'].map((owner) => replica(owner))
  for (const each of replicas) await each.tick()
  t.same(ran, [], 'a fresh installation makes up for nothing')
  for (let step = 0; step < 48; step += 1) {
    clock.ms += hour
    await Promise.all(replicas.map((each) => each.tick()))
  }
  t.same(
    ran.map((line) => line.slice(2)),
    ['2026-11-20T01:00:00.000Z', '2026-11-21T01:00:00.000Z'],
  )
  t.match(await store.history('report', 10), [{ outcome: 'done', detail: 'sent' }, { outcome: 'done' }])
  await store.close()
})

t.test('on the days when the clocks change it runs once', async (t) => {
  for (const [day, expected] of [
    ['2026-03-28T12:00:00Z', '2026-03-29T01:00:00.000Z'],
    ['2026-10-24T12:00:00Z', '2026-10-25T00:00:00.000Z'],
  ] as const) {
    const store = openStore()
    const { clock, ran, replica } = world(store, day)
    const scheduler = replica('a')
    for (let step = 0; step < 24 * 4; step += 1) {
      await scheduler.tick()
      clock.ms += 15 * minute
    }
    t.equal(ran.length, 1, day)
    t.equal(ran[0], `a ${expected}`)
    await store.close()
  }
})

t.test('a run that was missed is made up for once after a restart, within its window', async (t) => {
  const store = openStore()
  const { clock, ran, replica } = world(store, '2026-11-20T00:30:00Z')
  const first = replica('a')
  await first.tick()
  clock.ms += hour
  await first.tick()
  t.equal(ran.length, 1)
  clock.ms = Date.parse('2026-11-23T09:00:00Z')
  const second = replica('b')
  await second.tick()
  await replica('c').tick()
  t.same(ran.slice(1), ['b 2026-11-23T01:00:00.000Z'], 'only the latest of three missed ones')
  clock.ms = Date.parse('2026-11-24T20:00:00Z')
  await replica('d').tick()
  t.equal(ran.length, 2, 'nineteen hours are too late')
  await store.close()
})

t.test('a run whose process died is taken over after its lease', async (t) => {
  const store = openStore()
  const { clock, ran, replica } = world(store, '2026-11-20T01:00:00Z')
  const due = Date.parse('2026-11-20T01:00:00Z')
  await store.claim({ job: 'report', scheduledForMs: due, owner: 'dead', nowMs: due, leaseMs: 10 * minute })
  clock.ms = due + 5 * minute
  const scheduler = replica('b')
  await scheduler.tick()
  t.same(ran, [], 'the lease still holds')
  clock.ms = due + 11 * minute
  await scheduler.tick()
  await scheduler.tick()
  t.same(ran, ['b 2026-11-20T01:00:00.000Z'])
  await store.close()
})

t.test('a restart knows what was done', async (t) => {
  const path = join(t.testdir(), 'jobs.sqlite')
  const first = openStore(path)
  const before = world(first, '2026-11-20T00:59:00Z')
  const scheduler = before.replica('a')
  await scheduler.tick()
  before.clock.ms += 2 * minute
  await scheduler.tick()
  t.equal(before.ran.length, 1)
  await first.close()
  const second = openStore(path)
  const after = world(second, '2026-11-20T01:05:00Z')
  await after.replica('a').tick()
  t.same(after.ran, [])
  await second.close()
})

t.test('a failing run is noted with its reason, and the next one runs', async (t) => {
  const store = openStore()
  const errors: string[] = []
  const clock = { ms: Date.parse('2026-11-20T00:00:30Z') }
  const scheduler = createScheduler({
    store,
    owner: 'a',
    now: () => clock.ms,
    onError: (job, error) => errors.push(`${job}: ${error instanceof Error ? error.message : error}`),
    jobs: [
      {
        name: 'health',
        pattern: '* * * * *',
        zone: 'UTC',
        catchUpMs: 0,
        deadlineMs: minute,
        run: async () => {
          throw new Error('no mail server')
        },
      },
    ],
  })
  await scheduler.tick()
  for (let step = 0; step < 2; step += 1) {
    clock.ms += minute
    await scheduler.tick()
  }
  t.same(errors, ['health: no mail server', 'health: no mail server'])
  t.match(await scheduler.states(), [
    { name: 'health', running: false, last: { outcome: 'failed', detail: 'no mail server' } },
  ])
  await store.close()
})

t.test('a run that hangs is given up at its deadline and does not overlap with the next', async (t) => {
  const store = openStore()
  const { clock, replica } = world(store, '2026-11-20T00:59:00Z')
  let begun = 0
  let aborted = false
  const scheduler = replica('a', {
    deadlineMs: 20,
    run: ({ signal }) => {
      begun += 1
      signal.addEventListener('abort', () => {
        aborted = true
      })
      return new Promise(() => {})
    },
  })
  await scheduler.tick()
  clock.ms += 2 * minute
  const hanging = scheduler.tick()
  await scheduler.tick()
  t.notOk(await scheduler.runNow('report'), 'one at a time')
  // The deadline's timer is unreferenced by nothing else, so the test holds the loop while it waits.
  const hold = setInterval(() => {}, 5)
  await hanging
  clearInterval(hold)
  t.equal(begun, 1)
  t.ok(aborted)
  t.match(await store.last('report'), { outcome: 'failed', detail: /not done within 20 ms/ })
  await store.close()
})

t.test('a stop aborts what runs and lets nothing new begin', async (t) => {
  const store = openStore()
  const { clock, ran, replica } = world(store, '2026-11-20T00:59:00Z')
  let signal: AbortSignal | undefined
  const scheduler = replica('a', {
    run: (context) => {
      signal = context.signal
      return new Promise(() => {})
    },
  })
  await scheduler.tick()
  clock.ms += 2 * minute
  const running = scheduler.tick()
  while (!signal) await new Promise((resolve) => setImmediate(resolve))
  await scheduler.stop()
  await running
  t.ok(signal.aborted)
  t.match(await store.last('report'), { outcome: 'failed', detail: 'the gateway is stopping' })
  clock.ms += 24 * hour
  await scheduler.tick()
  t.same(ran, [])
  await store.close()
})

t.test('a job can be run by hand, and the history is pruned', async (t) => {
  const store = openStore()
  const { clock, ran, replica } = world(store, '2026-11-20T05:00:00Z')
  const scheduler = replica('a')
  t.ok(await scheduler.runNow('report'))
  t.notOk(await scheduler.runNow('nothing'))
  t.equal(ran.length, 1)
  const [state] = await scheduler.states()
  t.equal(state?.nextMs, Date.parse('2026-11-21T01:00:00Z'))
  await store.prune(clock.ms + 1)
  t.same(await scheduler.history(null, 10), [])
  await store.close()
})

t.test('schedules are written as people write them', async (t) => {
  t.equal(cronPattern('02:00'), '0 2 * * *')
  t.equal(cronPattern('Mon 7:30'), '30 7 * * 1')
  t.equal(cronPattern('hourly'), '0 * * * *')
  t.equal(cronPattern('5m'), '*/5 * * * *')
  t.equal(cronPattern('60m'), '0 * * * *')
  t.equal(cronPattern('6h'), '0 */6 * * *')
  t.equal(cronPattern('24h'), '0 0 * * *')
  t.equal(cronPattern('15 3 * * 1-5'), '15 3 * * 1-5')
  t.equal(cronPattern('off'), null)
  for (const bad of ['25:00', '7m', '0m', 'sometimes', '* *', '61 * * * *', '02:60']) {
    t.throws(() => cronPattern(bad), BadSchedule, bad)
  }
})

t.test('a day is as long as the zone says', async (t) => {
  const cases: [string, string, number][] = [
    ['Europe/Berlin', '2026-03-29', 23],
    ['Europe/Berlin', '2026-10-25', 25],
    ['Africa/Cairo', '2026-04-24', 23],
    ['America/Havana', '2026-11-01', 25],
    ['Asia/Kolkata', '2026-03-29', 24],
    ['Australia/Lord_Howe', '2026-10-04', 23.5],
  ]
  for (const [zone, date, hours] of cases) {
    const calendar = createCalendar(zone)
    const start = calendar.startOf(date)
    t.equal((calendar.addDays(start, 1) - start) / hour, hours, `${zone} ${date}`)
    t.equal(calendar.date(start), date)
    t.not(calendar.date(start - 1), date)
  }
  t.ok(Number.isNaN(createCalendar('UTC').startOf('yesterday')))
  t.throws(() => createCalendar('Mars/Olympus'), RangeError)
})
