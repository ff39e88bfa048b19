import { Command } from 'commander'
import { money } from '../usage/words.ts'
import { CliError, telling } from './cli-error.ts'
import { dayOption, openLedgerOf } from './ledger-file.ts'

interface Options {
  config?: string
  from: string
  to: string
  json?: boolean
}

/** `castor reprice`: costs booked calls again, with the prices as they are now. */
export function repriceCommand(): Command {
  return new Command('reprice')
    .description('cost booked calls again after a price was corrected; safe beside a running gateway')
    .requiredOption('--from <day>', 'first day, YYYY-MM-DD, in metering.zone')
    .requiredOption('--to <day>', 'last day, included')
    .option('-c, --config <file>', 'settings file; default: gateway.yaml where there is one')
    .option('--json', 'for programs')
    .action((options: Options) => telling(() => run(options)))
}

async function run({ config, from, to, json }: Options): Promise<void> {
  const { ledger, calendar, prices, close } = openLedgerOf(config)
  try {
    const fromMs = dayOption('--from', from, calendar.startOf)
    const toMs = calendar.addDays(dayOption('--to', to, calendar.startOf), 1)
    if (toMs <= fromMs) throw new CliError('--to must not be before --from', 64)
    if (ledger.reprice === undefined) throw new CliError('these books keep no single calls to reprice', 69)
    const { events, changed, differenceNanoUsd } = await ledger.reprice(fromMs, toMs, prices)
    const differenceUsd = differenceNanoUsd / 1e9
    const text = `${events} calls looked at, ${changed} cost something else now: ${money(differenceUsd)} in all.`
    process.stdout.write(json ? `${JSON.stringify({ events, changed, differenceUsd })}\n` : `${text}\n`)
  } finally {
    await close()
  }
}
