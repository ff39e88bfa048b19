/**
 * Which answers to keep when not all fit: the share of what all answers cost that each policy saves, on made-up traffic
 * (eviction-trace.ts) with answers of different cost and size, still and with drifting popularity.
 *
 *   node bench/eviction.ts [--requests 200000] [--seeds 3]
 */
import { parseArgs } from 'node:util'
import { castor, gdsf, lfu, lru, type Policy, s3fifo, wTinyLfu } from './eviction-policies.ts'
import { type Item, type Trace, traceOf } from './eviction-trace.ts'

const { values } = parseArgs({
  options: { requests: { type: 'string', default: '200000' }, seeds: { type: 'string', default: '3' } },
})
const requests = Number(values.requests)
const seeds = Array.from({ length: Number(values.seeds) }, (_, at) => at + 1)
const keys = 40_000

const policies: Record<string, Policy> = {
  LRU: lru,
  LFU: lfu,
  'S3-FIFO': s3fifo,
  'W-TinyLFU': wTinyLfu,
  GDSF: gdsf,
  castor,
}

const traffics = [
  { name: 'alpha 0.8', alpha: 0.8, drift: 0 },
  { name: 'alpha 1.0', alpha: 1, drift: 0 },
  { name: 'alpha 0.9, drift', alpha: 0.9, drift: 0.3 },
]
const capacities = [
  { name: '2 % of entries', share: 0.02, inBytes: false },
  { name: '10 % of entries', share: 0.1, inBytes: false },
  { name: '2 % of bytes', share: 0.02, inBytes: true },
  { name: '10 % of bytes', share: 0.1, inBytes: true },
]

/** What src/cache/entry.ts counts for an answer. */
const bytesOf = (item: Item) => item.bytes + 1024

function savedShare({ items, requests }: Trace, policy: Policy, share: number, inBytes: boolean): number {
  const total = inBytes ? items.reduce((sum, item) => sum + bytesOf(item), 0) : items.length
  const size = inBytes ? bytesOf : () => 1
  const expectedEntries = Math.round(items.length * share)
  const ask = policy({ capacity: Math.round(total * share), size, inBytes, expectedEntries })
  let saved = 0
  let spent = 0
  for (const at of requests) {
    const item = items[at]!
    spent += item.costUsd
    if (ask(item)) saved += item.costUsd
  }
  return saved / spent
}

function say(...cells: string[]): void {
  process.stdout.write(`${cells.map((cell, at) => (at === 0 ? cell.padEnd(34) : cell.padStart(10))).join('')}\n`)
}

say(`node ${process.version}, ${requests} requests, ${keys} keys, ${seeds.length} seeds`)
say('share of cost saved', ...Object.keys(policies))
const sums = new Map<string, number>()
const worst = new Map<string, number>()
for (const { name, alpha, drift } of traffics) {
  const traces = seeds.map((seed) => traceOf({ seed, requests, keys, alpha, drift }))
  for (const capacity of capacities) {
    const shares = Object.entries(policies).map(([policy, make]): [string, number] => {
      const each = traces.map((trace) => savedShare(trace, make, capacity.share, capacity.inBytes))
      return [policy, each.reduce((sum, share) => sum + share, 0) / each.length]
    })
    const best = Math.max(...shares.map(([, share]) => share))
    for (const [policy, share] of shares) {
      sums.set(policy, (sums.get(policy) ?? 0) + share)
      worst.set(policy, Math.min(worst.get(policy) ?? 1, share / best))
    }
    say(`${name}, ${capacity.name}`, ...shares.map(([, share]) => share.toFixed(3) + (share === best ? '*' : ' ')))
  }
}
const rows = traffics.length * capacities.length
say('mean', ...[...sums.values()].map((sum) => `${(sum / rows).toFixed(3)} `))
say('worst, relative to the best', ...[...worst.values()].map((share) => `${share.toFixed(3)} `))
