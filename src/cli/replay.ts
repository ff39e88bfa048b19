import { createReadStream } from 'node:fs'
import { Command } from 'commander'
import { loadConfig } from '../../config/load.ts'
import { readRecorded } from '../cache/recorded.ts'
import { createRehearsal, type Rehearsal, type Saving } from '../cache/rehearsal.ts'
import { read } from '../cache/settings.ts'
import { pricesOf } from '../usage/configured.ts'

/** `castor replay FILE`: what the exact cache would have saved on recorded traffic; nothing is sent. */
export function replayCommand(): Command {
  return new Command('replay')
    .description('what would the cache have saved on this recorded traffic? Nothing is sent')
    .argument(
      '<file>',
      'a HAR file, or JSON lines of {request: {method, url, headers, body}, response: {status, headers, body}, startedAt?, durationMs?}',
    )
    .option('-c, --config <file>', 'settings file; without it, the defaults')
    .option('--json', 'for programs')
    .action(async (file: string, { config: settings, json }: { config?: string; json?: boolean }) => {
      const config = loadConfig({ ...(settings === undefined ? {} : { file: settings }), env: process.env })
      const { cache } = config
      const rehearsal = createRehearsal({
        settings: read(config, cache.ttl),
        prices: pricesOf(config, () => {}),
        maxEntries: Math.max(cache.maxEntries, cache.store === 'memory' ? 0 : cache.storeMaxEntries),
      })
      const skipped = { 'too-large': 0, unreadable: 0 }
      for await (const found of readRecorded(createReadStream(file, { highWaterMark: 256 * 1024 }))) {
        if ('call' in found) rehearsal.see(found.call)
        else skipped[found.skipped]++
      }
      const { result } = rehearsal
      process.stdout.write(json ? `${JSON.stringify({ ...result, skipped })}\n` : `${text(result, skipped)}\n`)
      if (result.calls === 0) process.exitCode = 65
    })
}

function text(result: Rehearsal, skipped: Record<string, number>): string {
  const kinds = Object.entries(result.kinds).sort(([, one], [, other]) => other.calls - one.calls)
  const rows = [
    ['', 'calls', 'hits', 'hit rate', 'saved s', 'saved $', 'cost $'],
    row('all', result),
    ...kinds.map(([name, saving]) => row(name, saving)),
  ]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0))) ?? []
  const table = rows.map((cells) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  )
  const notes = [
    `Of the hits ${result.coalesced} would have joined a call in flight.`,
    ...counted('Not remembered', result.refused),
    ...counted('Not calls', { 'of other routes': result.other, ...skipped }),
    ...(result.untimed > 0 ? [`${result.untimed} calls carry no time: they count as made at one moment.`] : []),
  ]
  return [...table, '', ...notes].join('\n')
}

function row(name: string, { calls, exact, coalesced, savedSeconds, savedUsd, costUsd }: Saving): string[] {
  const hits = exact + coalesced
  const rate = calls === 0 ? '–' : `${((hits / calls) * 100).toFixed(1)} %`
  return [name, String(calls), String(hits), rate, savedSeconds.toFixed(1), savedUsd.toFixed(6), costUsd.toFixed(6)]
}

function counted(title: string, counts: Record<string, number>): string[] {
  const some = Object.entries(counts).filter(([, count]) => count > 0)
  return some.length === 0 ? [] : [`${title}: ${some.map(([reason, count]) => `${count} ${reason}`).join(', ')}.`]
}
