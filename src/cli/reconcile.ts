import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { BadBill, readBill } from '../usage/bill.ts'
import { type Reconciliation, reconcile } from '../usage/reconcile.ts'
import { money, percent, printable } from '../usage/words.ts'
import { CliError, telling } from './cli-error.ts'
import { openLedgerOf } from './ledger-file.ts'

interface Options {
  config?: string
  json?: boolean
}

/** `castor reconcile BILL.csv`: the books beside Google's bill; exit 1 when something does not match. */
export function reconcileCommand(): Command {
  return new Command('reconcile')
    .description("compare the books with Google's bill, exported as CSV; exit 1 when something does not match")
    .argument('<bill>', 'CSV of the billing report or of the BigQuery export')
    .option('-c, --config <file>', 'settings file; default: gateway.yaml where there is one')
    .option('--json', 'for programs')
    .action((bill: string, options: Options) => telling(() => run(bill, options)))
}

async function run(file: string, { config, json }: Options): Promise<void> {
  const bill = read(file)
  const { ledger, close } = openLedgerOf(config)
  try {
    const found = await reconcile(bill, { ledger })
    process.stdout.write(json ? `${JSON.stringify(found)}\n` : textOf(found))
    if (found.lines.some(({ verdict }) => verdict !== 'match')) process.exitCode = 1
  } finally {
    await close()
  }
}

function read(file: string) {
  try {
    return readBill(readFileSync(file, 'utf8'))
  } catch (error) {
    if (error instanceof BadBill) throw new CliError(`${file}: ${error.message}`, 65)
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new CliError(`there is no file ${file}`, 66)
    throw error
  }
}

function textOf({ from, to, lines, castorUsd, billUsd, captured }: Reconciliation): string {
  if (lines.length === 0) return 'The bill has no line about Gemini.\n'
  const rows = lines.map(({ date, model, castorUsd, billUsd, verdict, hints }) => {
    const why = hints.length === 0 ? '' : `: ${hints.join('; ')}`
    return printable(
      `${date}  ${model.padEnd(28)}  ${money(castorUsd).padStart(12)}  ${money(billUsd).padStart(12)}  ${verdict}${why}`,
    )
  })
  const head = `${'day'.padEnd(10)}  ${'model'.padEnd(28)}  ${'Castor'.padStart(12)}  ${'bill'.padStart(12)}`
  const total = `${from} to ${to}: Castor ${money(castorUsd)}, the bill ${money(billUsd)} (${percent(captured)} of it is in the books)`
  return `${[head, ...rows, total].join('\n')}\n`
}
