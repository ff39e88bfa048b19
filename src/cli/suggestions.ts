import { Command } from 'commander'
import { makeReport } from '../usage/deliver.ts'
import type { Suggestion } from '../usage/suggest.ts'
import { money, printable } from '../usage/words.ts'
import { telling } from './cli-error.ts'
import { openLedgerOf } from './ledger-file.ts'
import { daysOption } from './report.ts'

interface Options {
  config?: string
  days: string
  json?: boolean
}

/** `castor suggestions`: what would cost or fail less, with its evidence and the setting to change. */
export function suggestionsCommand(): Command {
  return new Command('suggestions')
    .description('what would cost less or fail less, and the setting to change')
    .option('-c, --config <file>', 'settings file; default: gateway.yaml where there is one')
    .option('--days <number>', 'calendar days to look at, the running one included', '7')
    .option('--json', 'for programs')
    .action((options: Options) => telling(() => run(options)))
}

async function run({ config, days, json }: Options): Promise<void> {
  const request = { days: daysOption(days) }
  const books = openLedgerOf(config)
  try {
    const { suggestions } = await makeReport(request, books)
    process.stdout.write(json ? `${JSON.stringify(suggestions)}\n` : textOf(suggestions))
  } finally {
    await books.close()
  }
}

function textOf(suggestions: Suggestion[]): string {
  if (suggestions.length === 0) return 'Nothing to suggest: the books show no evidence for a change.\n'
  return `${suggestions.map(oneText).join('\n\n')}\n`
}

function oneText({ title, evidence, savingUsdPerMonth, change, caution }: Suggestion): string {
  const saving = savingUsdPerMonth === null ? '' : `  (${money(savingUsdPerMonth)} a month)`
  const yaml = change === '' ? [] : change.trimEnd().split('\n')
  const lines = [`${title}${saving}`, `  ${evidence}`, ...yaml.map((line) => `    ${line}`)]
  if (caution !== '') lines.push(`  Mind: ${caution}`)
  return lines.map(printable).join('\n')
}
