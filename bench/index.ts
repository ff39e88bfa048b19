/**
 * npm run bench                      everything, in under three minutes
 * npm run bench -- proxy delay      only these
 * npm run bench -- --check          exits 1 when a promised figure is not reached
 */
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { type Cast, openCast } from './cast.ts'
import { pinned } from './child.ts'
import { benchHit } from './hit.ts'
import { benchGrowth, benchIdleStreams } from './memory.ts'
import { isKept, type Outcome, renderOutcome } from './outcome.ts'
import { castors } from './proxies.ts'
import { benchProxy } from './proxy.ts'
import { benchDelay, benchStreams } from './streams.ts'
import { benchUpload } from './upload.ts'

const all: Record<string, (cast: Cast) => Promise<Outcome>> = {
  proxy: (cast) =>
    benchProxy(cast, {
      rounds: 12,
      requests: 600,
      // Castor has more code to compile than the others, and compiling counts as its CPU.
      warmUp: 10_000,
      proxies: [...Object.keys(castors), 'static', 'fastify', 'http-proxy'],
    }),
  hit: (cast) => benchHit(cast, { rounds: 7, requests: 4_000, warmUp: 8_000 }),
  streams: (cast) =>
    benchStreams(cast, {
      rounds: 5,
      streams: 320,
      warmUp: 1_000,
      proxies: ['castor, cache and books off', 'castor, cache off', 'fastify'],
    }),
  delay: (cast) => benchDelay(cast, { rounds: 4, streams: 50 }),
  idle: (cast) => benchIdleStreams(cast, { streams: 1_000 }),
  growth: (cast) => benchGrowth(cast, { requests: 100_000, steps: 5 }),
  upload: (cast) => benchUpload(cast, { bytes: 100_000_000 }),
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { check: { type: 'boolean', default: false } },
})
const names = positionals.length === 0 ? Object.keys(all) : positionals
const unknown = names.filter((name) => all[name] === undefined)

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

if (unknown.length > 0) {
  say(`There is no benchmark ${unknown.join(', ')}; there are ${Object.keys(all).join(', ')}.`)
  process.exitCode = 2
} else {
  const memory = Math.round(totalmem() / 2 ** 30)
  say(
    `node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}, ${memory} GiB, ${process.platform} ${process.arch}`,
  )
  say(`${pinned ? 'proxy on one core, load and upstream on another' : 'not pinned to cores: trust the ratios less'}\n`)
  let broken = 0
  for (const name of names) {
    const cast = await openCast()
    try {
      const outcome = await (all[name] as (cast: Cast) => Promise<Outcome>)(cast)
      say(renderOutcome(outcome))
      broken += outcome.promised.filter((one) => !isKept(one)).length
    } finally {
      await cast.stop()
    }
  }
  if (broken > 0 && values.check) process.exitCode = 1
}
