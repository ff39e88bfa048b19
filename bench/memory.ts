import type { Cast } from './cast.ts'
import type { Child } from './child.ts'
import { figure, type Outcome } from './outcome.ts'
import { castors, startProxies } from './proxies.ts'
import { answer, streamPath, unaryPath } from './samples.ts'
import { slope } from './statistics.ts'

type Memory = NodeJS.MemoryUsage

/** Resident memory of open streams that say nothing, each a client's connection and an upstream's. */
export async function benchIdleStreams(cast: Cast, { streams }: { streams: number }): Promise<Outcome> {
  const rows: string[][] = []
  let perStream = Number.NaN
  // With the cache on, the answers it holds come and go meanwhile, and the difference of two RSS tells nothing.
  for (const [name, proxy] of await startProxies(cast, ['bare', 'castor, cache off'])) {
    await warmUp(cast, proxy)
    const before = await proxy.ask<Memory>('memory')
    await cast.load.ask('hold', { port: proxy.port, path: streamPath('held'), streams })
    const during = await proxy.ask<Memory>('memory')
    await cast.load.ask('release')
    const after = await proxy.ask<Memory>('memory')
    await proxy.stop()
    perStream = (during.rss - before.rss) / streams / 1000
    const heap = (during.heapUsed - before.heapUsed) / streams / 1000
    rows.push([
      name,
      figure(before.rss / 1e6),
      figure(during.rss / 1e6),
      figure(perStream),
      figure(heap),
      figure((after.heapUsed - before.heapUsed) / 1e6),
    ])
  }
  return {
    title: `${streams} open idle streams`,
    columns: [
      'proxy',
      'RSS before, MB',
      'during',
      'RSS per stream, KB',
      'heap per stream, KB',
      'heap kept afterwards, MB',
    ],
    rows,
    promised: [{ what: 'an open idle stream costs', value: perStream, limit: 60, unit: 'KB' }],
  }
}

/** Heap after full collections while many requests go by. */
export async function benchGrowth(
  cast: Cast,
  { requests, steps }: { requests: number; steps: number },
): Promise<Outcome> {
  // The cache grows up to its own bound and would hide a leak behind it.
  const proxy = await cast.proxy('castor', castors['castor, cache off'])
  await warmUp(cast, proxy)
  const heaps: number[] = []
  const sizes: Memory[] = []
  for (let step = 0; step <= steps; step++) {
    if (step > 0) await burst(cast, proxy, Math.round(requests / steps))
    const memory = await proxy.ask<Memory>('memory')
    sizes.push(memory)
    heaps.push(memory.heapUsed)
  }
  await proxy.stop()
  const growth = slope(heaps) * steps
  return {
    title: `Memory over ${requests} calls, MB after full collections`,
    columns: ['calls', 'heap', 'external', 'RSS'],
    rows: sizes.map(({ heapUsed, external, rss }, step) => [
      String(Math.round((requests / steps) * step)),
      (heapUsed / 1e6).toFixed(2),
      (external / 1e6).toFixed(2),
      (rss / 1e6).toFixed(1),
    ]),
    // A leak of ten bytes in each call would show as one MB in a hundred thousand.
    promised: [{ what: `the heap grows by`, value: growth / requests, limit: 10, unit: 'bytes per call (slope)' }],
  }
}

async function warmUp(cast: Cast, proxy: Child): Promise<void> {
  await burst(cast, proxy, 5_000)
}

async function burst(cast: Cast, { port }: Child, requests: number): Promise<void> {
  const deadlineMs = 120_000
  await cast.load.ask(
    'burst',
    { port, path: unaryPath, requests, connections: 64, answerBytes: answer.length, deadlineMs },
    deadlineMs + 5_000,
  )
}
