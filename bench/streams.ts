import type { Cast } from './cast.ts'
import type { Child } from './child.ts'
import type { BurstResult } from './load.ts'
import { figure, type Outcome } from './outcome.ts'
import { measurePaired } from './paired.ts'
import { startProxies } from './proxies.ts'
import { costColumns, costPromise, costRows } from './proxy.ts'
import { events, eventsPerStream, streamPath } from './samples.ts'
import { median, quantile } from './statistics.ts'

export interface StreamSizes {
  rounds: number
  streams: number
  warmUp: number
  /** proxies besides the bare one, see startProxies */
  proxies: readonly string[]
}

const connections = 64
const answerBytes = events.reduce((sum, event) => sum + event.length, 0)

/** CPU of a stream whose events arrive one by one, against the bare proxy. */
export async function benchStreams(cast: Cast, sizes: StreamSizes): Promise<Outcome> {
  const reference = await cast.proxy('bare')
  const proxies = await startProxies(cast, sizes.proxies)
  const { reference: micros, costs } = await measurePaired({
    load: cast.load,
    reference,
    proxies,
    burst: { path: streamPath('paced'), requests: sizes.streams, connections, answerBytes, deadlineMs: 60_000 },
    warmUp: sizes.warmUp,
    rounds: sizes.rounds,
  })
  await Promise.all([reference, ...proxies.values()].map((child) => child.stop()))
  return {
    title: `A stream of ${eventsPerStream} events: CPU of the proxy's process per stream, ${connections} at once, ${sizes.rounds} rounds of ${sizes.streams}`,
    columns: costColumns,
    rows: costRows(micros, costs),
    promised: costPromise('a stream costs', costs, 1.5),
  }
}

/** Few at once: the delay of a proxy, not of a queue before it. */
const delayConnections = 4

/** How long a byte of a stream takes through the gateway, from the upstream's write to the client's read, against the bare proxy and none. */
export async function benchDelay(cast: Cast, sizes: { rounds: number; streams: number }): Promise<Outcome> {
  const pipeline = 'castor, cache and books off'
  const proxies = await startProxies(cast, ['bare', pipeline, 'castor'])
  const ways = new Map<string, Child>([['no proxy', cast.upstream], ...proxies])
  const seen = new Map([...ways.keys()].map((name) => [name, { first: [] as number[], later: [] as number[] }]))
  // The first round warms up.
  for (let round = 0; round <= sizes.rounds; round++) {
    for (const [name, { port }] of ways) {
      const burst = {
        port,
        path: streamPath('stamped'),
        requests: sizes.streams,
        connections: delayConnections,
        stamps: true,
        deadlineMs: 60_000,
      }
      const { firstDelays, laterDelays } = await cast.load.ask<BurstResult>('burst', burst, 65_000)
      if (round === 0) continue
      seen.get(name)?.first.push(...firstDelays)
      seen.get(name)?.later.push(...laterDelays)
    }
  }
  await Promise.all([...proxies.values()].map((child) => child.stop()))
  const first = (name: string, share: number) => quantile(seen.get(name)?.first ?? [], share)
  return {
    title: `Delay of a stream's bytes on their way down, µs, ${delayConnections} streams at once, ${sizes.rounds * sizes.streams} streams`,
    columns: ['way', 'first event, median', 'p99', 'later events, median', 'p99'],
    rows: [...seen].map(([name, { first, later }]) => [
      name,
      figure(median(first)),
      figure(quantile(first, 0.99)),
      figure(median(later)),
      figure(quantile(later, 0.99)),
    ]),
    promised: [
      {
        what: 'the first event is delayed by',
        value: first(pipeline, 0.5) - first('no proxy', 0.5),
        limit: 1000,
        unit: 'µs in the median',
      },
      {
        what: 'at p99 the first event comes later than through the bare proxy by',
        value: first(pipeline, 0.99) - first('bare', 0.99),
        limit: 1000,
        unit: 'µs',
      },
    ],
  }
}
