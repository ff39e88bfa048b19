// Books one event over and over as fast as it can, tells how many it has booked, and goes on until it is killed.
import { join } from 'node:path'
import { createCalendar } from '../src/schedule/calendar.ts'
import type { UsageEvent } from '../src/usage/event.ts'
import { openJournal } from '../src/usage/journal.ts'
import { openLedgerFile } from '../src/usage/ledger-schema.ts'
import { createSqliteLedger } from '../src/usage/ledger-sqlite.ts'

const [, , dir = '', round = '', sample = ''] = process.argv
const event: UsageEvent = JSON.parse(sample)
const ledger = createSqliteLedger({
  open: () => openLedgerFile(join(dir, 'usage.sqlite'), () => {}),
  journal: openJournal(join(dir, 'journal'), 10_000_000),
  calendar: createCalendar('UTC'),
  retention: { eventDays: 7, hourDays: 35, dayDays: 1000 },
  commitMs: 3,
  commitRows: 20,
})
const told = 20 + Number(round) * 7
let booked = 0

function step(): void {
  for (let each = 0; each < 5; each += 1) {
    ledger.record({ ...event, requestId: `${round}-${booked}` })
    booked += 1
    if (booked === told) process.send?.(booked)
  }
  setImmediate(step)
}
step()
