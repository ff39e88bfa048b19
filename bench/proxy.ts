import type { Cast } from './cast.ts'
import { figure, type Outcome, type Promised } from './outcome.ts'
import { type Cost, measurePaired } from './paired.ts'
import { startProxies } from './proxies.ts'
import { answer, unaryPath } from './samples.ts'

export interface ProxySizes {
  rounds: number
  requests: number
  warmUp: number
  /** proxies besides the bare one, see startProxies */
  proxies: readonly string[]
}

const connections = 64

/** CPU of a proxied model call, 2 KB up and 1.6 KB down, against the bare proxy. */
export async function benchProxy(cast: Cast, sizes: ProxySizes): Promise<Outcome> {
  const reference = await cast.proxy('bare')
  const proxies = await startProxies(cast, sizes.proxies)
  const { reference: micros, costs } = await measurePaired({
    load: cast.load,
    reference,
    proxies,
    burst: { path: unaryPath, requests: sizes.requests, connections, answerBytes: answer.length, deadlineMs: 60_000 },
    warmUp: sizes.warmUp,
    rounds: sizes.rounds,
  })
  await Promise.all([reference, ...proxies.values()].map((child) => child.stop()))
  return {
    title: `A model call through the proxy: CPU of its process, ${connections} connections, ${sizes.rounds} rounds of ${sizes.requests} calls`,
    columns: costColumns,
    rows: costRows(micros, costs),
    promised: [
      ...costPromise('a model call costs', costs, 1.8),
      ...surcharge(costs, 'castor, cache and books off', 'castor, cache off', 'the books cost', 1.05),
    ],
  }
}

/** The promise of issue 2 about the pipeline of the proxy itself; stores have promises of their own. */
export function costPromise(what: string, costs: readonly Cost[], limit: number): Promised[] {
  return costs
    .filter(({ name }) => name === 'castor, cache and books off')
    .map(({ ratio }) => ({ what, value: ratio, limit, unit: 'times the bare proxy' }))
}

/** What one stage adds, as the ratio of the costs with and without it. */
function surcharge(costs: readonly Cost[], without: string, having: string, what: string, limit: number): Promised[] {
  const [one, other] = [without, having].map((name) => costs.find((cost) => cost.name === name))
  if (one === undefined || other === undefined) return []
  return [{ what, value: other.ratio / one.ratio, limit, unit: 'times a call without them' }]
}

export const costColumns = ['proxy', 'CPU µs', 'ratio', 'lowest', 'highest']

/** Rows of a table of costs, cheapest first. */
export function costRows(reference: number, costs: readonly Cost[], referenceName = 'bare'): string[][] {
  const bare: Cost = { name: referenceName, micros: reference, ratio: 1, lowest: 1, highest: 1 }
  return [bare, ...costs]
    .sort((one, other) => one.ratio - other.ratio)
    .map(({ name, micros, ratio, lowest, highest }) => [
      name,
      figure(micros),
      figure(ratio),
      figure(lowest),
      figure(highest),
    ])
}
