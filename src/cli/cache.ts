import { Command, InvalidArgumentError, Option } from 'commander'
import type { Advice } from '../cache/advice.ts'
import type { Figures } from '../cache/figures.ts'
import { type AdminAddress, callAdmin } from './admin-call.ts'
import { telling } from './cli-error.ts'
import { addressOf, type GatewayOptions, withGateway } from './gateway-option.ts'

interface Options extends GatewayOptions {
  stats?: boolean
  cleanup?: boolean
  optimize?: boolean
  apply?: boolean
  purge?: Record<string, unknown>
  days: string
  json?: boolean
}

/** `castor cache`: looks at the cache of a running gateway, and cleans, purges and tunes it. */
export function cacheCommand(): Command {
  return withGateway(
    new Command('cache')
      .description('look at the cache of a running gateway, clean it, purge it, tune it')
      .option('--stats', 'what it has answered and saved (what happens without another option)')
      .addOption(new Option('--cleanup', 'remove what is past its use').conflicts(['optimize', 'purge']))
      .addOption(new Option('--optimize', 'what a longer life or more room would have answered').conflicts('purge'))
      .option('--apply', 'with --optimize: put it in force until the next reload')
      .option('--purge <scope>', 'forget: all, tenant=…, model=…, tag=name=value, interaction=…, key=…', scope)
      .option('--days <number>', 'with --stats: today and so many before', '7')
      .option('--json', 'for programs'),
  ).action((options: Options) => telling(() => run(options)))
}

async function run(options: Options): Promise<void> {
  const [answer, text] = await ask(addressOf(options), options)
  process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : `${text}\n`)
}

async function ask(address: AdminAddress, options: Options): Promise<[answer: unknown, text: string]> {
  if (options.purge !== undefined || options.cleanup) {
    // The admin API's own answers: their types are those of its handlers.
    const answer = (await callAdmin(address, '/cache/cleanup/', options.purge ?? {})) as Removed
    return [answer, removedText(answer)]
  }
  if (options.optimize) {
    const answer = (await callAdmin(address, '/cache/optimize/', { apply: options.apply === true })) as Optimized
    return [answer, optimizedText(answer)]
  }
  const answer = (await callAdmin(address, `/cache/metrics/?days=${encodeURIComponent(options.days)}`)) as Figures
  return [answer, figuresText(answer)]
}

type Removed = { scope: string | null; removed: number }
type Optimized = { since: string; applied: boolean; advice: Advice[]; note: string }

function removedText({ scope, removed }: Removed): string {
  const answers = `${removed} answer${removed === 1 ? '' : 's'}`
  return scope === null
    ? `Removed ${answers} past their use.`
    : `Purged ${scope}: ${answers} forgotten, on every replica.`
}

function optimizedText({ since, advice, note }: Optimized): string {
  const each = advice.map(
    ({ setting, from, to, why, hits, savedUsd, perDay, yaml }) =>
      `${setting}: ${shown(setting, from)} → ${shown(setting, to)}\n  ${why}\n  ${hits} more hits and ${usd(savedUsd)} so far; at this rate ${perDay.hits.toFixed(0)} hits and ${usd(perDay.savedUsd)} a day\n  ${yaml.trimEnd().replaceAll('\n', '\n  ')}`,
  )
  return [`Observed since ${since}.`, ...each, note].join('\n')
}

function figuresText({
  days,
  since,
  from,
  mode,
  hits,
  misses,
  bypassed,
  hitRate,
  grade,
  saved,
  process: own,
}: Figures): string {
  const { memory, store, shadow } = own
  const lines = [
    `The last ${days} days (${from === 'ledger' ? 'from the ledger' : 'of this process'}, since ${since}); cache ${mode}`,
    `hits        ${hits.total}: ${hits.exact} exact, ${hits.semantic} semantic, ${hits.coalesced} coalesced, ${hits.stale} stale`,
    `misses      ${misses}, and ${bypassed} not looked up`,
    `hit rate    ${percent(hitRate)} (${grade})`,
    `saved       ${saved.calls} calls, ${usd(saved.usd)}, ${own.savedSeconds.toFixed(1)} s (seconds since ${own.since})`,
    `memory      ${memory.entries} of ${memory.maxEntries} answers, ${megabytes(memory.bytes)} of ${megabytes(memory.maxBytes)}; ${memory.evictions} evicted, ${memory.expirations} expired`,
    store === null
      ? 'store       none'
      : `store       ${store.name}${store.away ? ', away' : store.full ? ', takes no more' : ''}: ${store.entries ?? '?'} answers, ${store.bytes === undefined ? '?' : megabytes(store.bytes)}`,
    `not kept    ${list(own.notKept)}`,
    `too late    ${memory.ghosts.ttl.hits} misses that twice the TTL, ${memory.ghosts.size.hits} that twice the room would have answered`,
  ]
  if (mode === 'shadow') {
    lines.push(
      `shadow      ${shadow.hits} would have been hits (${percent(shadow.hitRate)}), ${usd(shadow.savedUsd)} and ${shadow.savedSeconds.toFixed(1)} s; of ${shadow.compared.agreed + shadow.compared.differed} compared ${percent(shadow.agreement)} said the same`,
    )
  }
  return lines.join('\n')
}

function scope(text: string): Record<string, unknown> {
  if (text === 'all') return { all: true }
  const [, kind, value] = /^(tenant|model|tag|interaction|key)=(.+)$/.exec(text) ?? []
  if (kind === undefined) {
    throw new InvalidArgumentError('all, tenant=…, model=…, tag=name=value, interaction=… or key=… is wanted.')
  }
  return { [kind]: value }
}

function shown(setting: Advice['setting'], value: number): string {
  if (setting === 'cache.maxEntries') return `${value} answers`
  return setting === 'cache.maxBytes' ? megabytes(value) : `${Math.round(value / 1000)} s`
}

function list(counts: Record<string, number>): string {
  return (
    Object.entries(counts)
      .map(([reason, count]) => `${count} ${reason}`)
      .join(', ') || 'none'
  )
}

function percent(share: number | null): string {
  return share === null ? '–' : `${(share * 100).toFixed(1)} %`
}

function usd(amount: number): string {
  return `$${amount.toFixed(amount !== 0 && Math.abs(amount) < 0.01 ? 6 : 2)}`
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
