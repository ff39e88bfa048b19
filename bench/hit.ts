import type { Cast } from './cast.ts'
import type { Child } from './child.ts'
import type { Burst, BurstResult } from './load.ts'
import { figure, type Outcome } from './outcome.ts'
import { type Cost, measurePaired } from './paired.ts'
import { costColumns, costRows } from './proxy.ts'
import { answer, unaryPath } from './samples.ts'
import { median, quantile } from './statistics.ts'

export interface HitSizes {
  rounds: number
  requests: number
  warmUp: number
}

const connections = 64

/**
 * CPU of an answer from memory, 2 KB up and 1.6 KB down, against a bare node:http server that answers the same bytes; the cost of a
 * proxied call in the same process; and how even the answers come under load.
 */
export async function benchHit(cast: Cast, sizes: HitSizes): Promise<Outcome> {
  const reference = await cast.proxy('static')
  const castor = await cast.proxy('castor')
  const burst: Omit<Burst, 'port'> = {
    path: unaryPath,
    requests: sizes.requests,
    connections,
    answerBytes: answer.length,
    repeat: true,
    deadlineMs: 60_000,
  }
  await warm(cast.load, castor, burst)
  const { reference: micros, costs } = await measurePaired({
    load: cast.load,
    reference,
    proxies: new Map([['castor, from memory', castor]]),
    burst,
    warmUp: sizes.warmUp,
    rounds: sizes.rounds,
  })
  const { latencies } = await cast.load.ask<BurstResult>('burst', {
    ...burst,
    port: castor.port,
    connections: 16,
    latencies: true,
  })
  const proxied = await costOfProxying(cast.load, castor, { ...burst, repeat: false }, sizes.rounds)
  await Promise.all([reference.stop(), castor.stop()])
  const [hit] = costs as [Cost]
  const rows: Cost = { name: 'castor, asked of Gemini', micros: proxied, ...sameRatio(proxied / micros) }
  return {
    title: `An answer from memory: CPU of its process, ${connections} connections, ${sizes.rounds} rounds of ${sizes.requests} calls`,
    columns: costColumns,
    rows: [
      ...costRows(micros, [hit, rows], 'static'),
      ['p50, p99 of a hit, ms', figure(quantile(latencies, 0.5) / 1000), figure(quantile(latencies, 0.99) / 1000)],
    ],
    promised: [
      { what: 'a hit costs', value: hit.ratio, limit: 2.2, unit: 'times a bare node:http answer' },
      { what: 'a hit costs', value: hit.micros / proxied, limit: 0.5, unit: 'of a proxied call' },
      {
        what: 'the slowest hundredth of hits takes',
        value: quantile(latencies, 0.99) / quantile(latencies, 0.5),
        limit: 2,
        unit: 'times the median',
      },
    ],
  }
}

/** Puts the one answer into memory: repeats count only when they are hits. */
async function warm(load: Child, castor: Child, burst: Omit<Burst, 'port'>): Promise<void> {
  await load.ask('burst', { ...burst, port: castor.port, requests: 1, connections: 1 })
}

/** CPU µs of a call that memory cannot answer, median of the rounds. */
async function costOfProxying(load: Child, child: Child, burst: Omit<Burst, 'port'>, rounds: number): Promise<number> {
  const seen: number[] = []
  await load.ask('burst', { ...burst, port: child.port }, burst.deadlineMs + 5_000)
  for (let round = 0; round < rounds; round++) {
    const before = await child.ask<number>('cpu')
    const { answered } = await load.ask<BurstResult>('burst', { ...burst, port: child.port }, burst.deadlineMs + 5_000)
    seen.push(((await child.ask<number>('cpu')) - before) / answered)
  }
  return median(seen)
}

function sameRatio(ratio: number): Pick<Cost, 'ratio' | 'lowest' | 'highest'> {
  return { ratio, lowest: ratio, highest: ratio }
}
