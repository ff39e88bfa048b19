/** The books of a data directory, for the commands that read them without a gateway, or beside one that runs. */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '../../config/load.ts'
import type { Config } from '../../config/schema.ts'
import { createCalendar } from '../schedule/calendar.ts'
import { pricesOf } from '../usage/configured.ts'
import type { ReportSource } from '../usage/deliver.ts'
import type { Ledger } from '../usage/ledger.ts'
import { openLedgerFile } from '../usage/ledger-schema.ts'
import { createSqliteLedger } from '../usage/ledger-sqlite.ts'
import { CliError } from './cli-error.ts'

/** sysexits.h: an input file is missing, an input is wrong. */
const EX_NOINPUT = 66
const EX_USAGE = 64

const dayMs = 86_400_000

/**
 * Opens `usage.db` beside whatever gateway uses it: SQLite keeps the two apart, and the journal of a running gateway is left alone.
 * @throws CliError when there are no books
 */
export function openLedgerOf(file: string | undefined): ReportSource & { close(): Promise<void>; waiting: boolean } {
  const config = settingsOf(file)
  const path = join(config.dataDir, 'usage.db')
  if (!existsSync(path)) {
    throw new CliError(`there are no books at ${path}: has a gateway run with these settings?`, EX_NOINPUT)
  }
  const calendar = createCalendar(config.metering.zone)
  const { keepEvents, keepHours, keepDays } = config.metering
  const ledger: Ledger = createSqliteLedger({
    open: () =>
      openLedgerFile(path, (_moved, cause) => {
        throw cause
      }),
    journal: null,
    calendar,
    retention: { eventDays: keepEvents / dayMs, hourDays: keepHours / dayMs, dayDays: keepDays / dayMs },
  })
  const prices = pricesOf(config, () => {})
  const waiting = ['.0', '.1'].some((end) => sizeOf(join(config.dataDir, `usage.journal${end}`)) > 0)
  return { config, ledger, calendar, prices, now: Date.now, waiting, close: () => ledger.close() }
}

/** gateway.yaml where it is, like `castor serve` without it otherwise. */
export function settingsOf(file: string | undefined): Config {
  const found = file ?? (existsSync('gateway.yaml') ? 'gateway.yaml' : undefined)
  return loadConfig({ ...(found === undefined ? {} : { file: found }), env: process.env })
}

/** A day given as YYYY-MM-DD, as the start of it. Throws CliError naming the option. */
export function dayOption(name: string, text: string, startOf: (date: string) => number): number {
  const at = startOf(text)
  if (Number.isNaN(at)) throw new CliError(`${name} must be a day such as 2026-11-20`, EX_USAGE)
  return at
}

function sizeOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0
}
