import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { openJournal } from '../src/usage/journal.ts'
import { openLedgerFile } from '../src/usage/ledger-schema.ts'
import { eventsOf, noon, openLedger, usageOf } from './usage-traffic.ts'

const year = 365 * 86_400_000
const wide = { fromMs: noon - year, toMs: noon + year }

t.test('a process killed at any moment loses nothing that was booked', { timeout: 110_000 }, async (t) => {
  const dir = t.testdir()
  const [event] = eventsOf({ attempts: [{ usage: usageOf({ promptTokens: 1000, candidateTokens: 100 }) }] })
  let acknowledged = 0
  for (let round = 0; round < 25; round += 1) {
    const child: ChildProcess = fork(
      new URL('usage-ledger-child.ts', import.meta.url),
      [dir, String(round), JSON.stringify(event)],
      {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      },
    )
    const [count] = await once(child, 'message')
    acknowledged += Number(count)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  const ledger = openLedger({
    open: () => openLedgerFile(join(dir, 'usage.sqlite'), (_, cause) => t.fail(`the file broke: ${cause.message}`)),
    journal: openJournal(join(dir, 'journal'), 10_000_000),
  })
  const rows = await ledger.read({ ...wide, by: 'day' })
  const calls = rows.reduce((sum, row) => sum + row.measures.calls, 0)
  t.ok(calls >= acknowledged, `${calls} booked, ${acknowledged} acknowledged`)
  t.equal(
    rows.reduce((sum, row) => sum + row.measures.cost, 0),
    calls * 550_000,
    'no row is torn or doubled',
  )
  const byHour = await ledger.read({ ...wide, by: 'hour' })
  t.equal(
    byHour.reduce((sum, row) => sum + row.measures.calls, 0),
    calls,
    'hours and days agree',
  )
  await ledger.close()
})
