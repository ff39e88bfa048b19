import { writeFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { BadDays, readDays } from '../usage/days.ts'
import { makeReport, type ReportFormat, renderReport, reportFormats } from '../usage/deliver.ts'
import { CliError, telling } from './cli-error.ts'
import { openLedgerOf } from './ledger-file.ts'

interface Options {
  config?: string
  days: string
  format: ReportFormat
  json?: boolean
  tenant?: string
  output?: string
}

/** `castor report`: the usage report, read from the data directory, whether a gateway runs there or not. */
export function reportCommand(): Command {
  return new Command('report')
    .description('what was asked, what it cost, what was saved, and what would save more')
    .option('-c, --config <file>', 'settings file; default: gateway.yaml where there is one')
    .option('--days <number>', 'calendar days, the running one included', '7')
    .addOption(new Option('--format <form>', 'form of the report').choices(reportFormats).default('text'))
    .option('--json', 'the same as --format json')
    .option('--tenant <name>', 'only this caller, as reports name it')
    .option('--output <file>', 'write to this file instead of standard output')
    .action((options: Options) => telling(() => run(options)))
}

async function run({ config, days, format, json, tenant, output }: Options): Promise<void> {
  const request = { days: daysOption(days), ...(tenant === undefined ? {} : { tenant }) }
  const books = openLedgerOf(config)
  try {
    const text = renderReport(await makeReport(request, books), json ? 'json' : format)
    if (output === undefined) process.stdout.write(text)
    else writeFileSync(output, text, { mode: 0o600 })
    if (books.waiting)
      process.stderr.write('The latest calls still wait in the journal; the gateway books them when it runs.\n')
  } finally {
    await books.close()
  }
}

/** Throws CliError for what is no number of days. */
export function daysOption(text: string): number {
  try {
    return readDays(text)
  } catch (error) {
    if (!(error instanceof BadDays)) throw error
    throw new CliError(`--${error.message}`, 64)
  }
}
