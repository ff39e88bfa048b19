import type { Child } from './child.ts'
import type { Burst, BurstResult } from './load.ts'
import { median } from './statistics.ts'

export interface PairedOptions {
  /** sends the bursts */
  load: Child
  /** the proxy that counts as 1 */
  reference: Child
  proxies: ReadonlyMap<string, Child>
  burst: Omit<Burst, 'port'>
  /** requests that each proxy answers before anything counts */
  warmUp: number
  rounds: number
}

/** CPU of one proxy against the reference. */
export interface Cost {
  name: string
  /** CPU µs of the proxy's process per request, median of the rounds */
  micros: number
  /** to the reference in the same seconds, median of the rounds */
  ratio: number
  lowest: number
  highest: number
}

/**
 * Measures what a request costs each proxy: CPU time of its process alone, the one figure that survives a busy machine. Each round puts the
 * reference directly before one proxy and directly after the next, so that a pair shares the machine's mood.
 */
export async function measurePaired(options: PairedOptions): Promise<{ reference: number; costs: Cost[] }> {
  const { load, reference, proxies, burst, warmUp, rounds } = options
  for (const child of [reference, ...proxies.values()]) await costOf(load, child, { ...burst, requests: warmUp })
  const references: number[] = []
  const seen = new Map([...proxies.keys()].map((name) => [name, { micros: [] as number[], ratios: [] as number[] }]))
  for (let round = 0; round < rounds; round++) {
    let before = await costOf(load, reference, burst)
    for (const [name, child] of proxies) {
      const micros = await costOf(load, child, burst)
      const after = await costOf(load, reference, burst)
      seen.get(name)?.micros.push(micros)
      seen.get(name)?.ratios.push((2 * micros) / (before + after))
      references.push(before)
      before = after
    }
  }
  const costs = [...seen].map(([name, { micros, ratios }]) => ({
    name,
    micros: median(micros),
    ratio: median(ratios),
    lowest: Math.min(...ratios),
    highest: Math.max(...ratios),
  }))
  return { reference: median(references), costs }
}

async function costOf(load: Child, child: Child, burst: Omit<Burst, 'port'>): Promise<number> {
  const before = await child.ask<number>('cpu')
  const { answered } = await load.ask<BurstResult>('burst', { ...burst, port: child.port }, burst.deadlineMs + 5_000)
  return ((await child.ask<number>('cpu')) - before) / answered
}
