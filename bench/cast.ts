import { type Child, startChild } from './child.ts'

/** The processes of a run: upstream and load share one core, each proxy has the other while it is measured. */
export interface Cast {
  load: Child
  upstream: Child
  /** Starts a proxy of `peers/` in front of the upstream. */
  proxy(name: string, settings?: readonly string[]): Promise<Child>
  stop(): Promise<void>
}

export async function openCast(): Promise<Cast> {
  const [load, upstream] = await Promise.all([
    startChild('./load.ts', { core: 1 }),
    startChild('./upstream.ts', { core: 1 }),
  ])
  const all = [load, upstream]
  return {
    load,
    upstream,
    async proxy(name, settings = []) {
      const child = await startChild(`./peers/${name}.ts`, {
        core: 0,
        args: [String(upstream.port), ...settings],
        nodeOptions,
      })
      all.push(child)
      return child
    },
    async stop() {
      await Promise.all(all.map((child) => child.stop()))
    },
  }
}

/** `BENCH_NODE_OPTIONS="--cpu-prof --cpu-prof-dir=/tmp/prof"` profiles the proxies of a run. */
const nodeOptions = (process.env.BENCH_NODE_OPTIONS ?? '').split(' ').filter((option) => option !== '')
