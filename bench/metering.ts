// What metering adds to a proxied call: the books, by CPU of the gateway with and without them; and the reader of answers, which passes
// each byte of a copy. node bench/metering.ts
import { createObserver, type ObserverOptions } from '../src/gemini/observe.ts'
import { type Cast, openCast } from './cast.ts'
import { figure, isKept, type Outcome, renderOutcome } from './outcome.ts'
import { measurePaired } from './paired.ts'
import { answer, events, unaryPath } from './samples.ts'
import { median } from './statistics.ts'

const connections = 64
const rounds = 15

/** CPU of a call with the books open, against the same gateway without them, and what reading its answer takes. */
export async function benchMetering(cast: Cast): Promise<Outcome> {
  const reference = await cast.proxy('castor', ['cache.mode=off', 'metering.enabled=false'])
  const metered = await cast.proxy('castor', ['cache.mode=off'])
  const { reference: micros, costs } = await measurePaired({
    load: cast.load,
    reference,
    proxies: new Map([['books', metered]]),
    burst: { path: unaryPath, requests: 1_500, connections, answerBytes: answer.length, deadlineMs: 60_000 },
    warmUp: 12_000,
    rounds,
  })
  await Promise.all([reference, metered].map((child) => child.stop()))
  const ratio = costs[0]?.ratio ?? Number.NaN
  const books = (ratio - 1) * micros
  const unary = readerMicros({ dialect: 'native', framing: 'unary' }, [answer])
  const stream = readerMicros({ dialect: 'native', framing: 'sse' }, events) / events.length
  const bare = micros - unary
  return {
    title: `Metering: CPU µs of the gateway's process, ${rounds} rounds; a call without metering takes ${figure(bare)}`,
    columns: ['part', 'CPU µs', 'of a call'],
    rows: [
      ['books, per call', figure(books), percent(books / bare)],
      ['reader, per unary answer', figure(unary), percent(unary / bare)],
      ['reader, per chunk of a stream', figure(stream), ''],
    ],
    promised: [
      { what: 'metering adds to a proxied call', value: ((books + unary) / bare) * 100, limit: 5, unit: '%' },
      { what: 'metering takes for a chunk of a stream', value: stream, limit: 2, unit: 'µs' },
    ],
  }
}

/** CPU µs of reading one answer, median of the rounds. */
function readerMicros(options: ObserverOptions, pieces: readonly Buffer[]): number {
  const answers = Math.ceil(8_000 / pieces.length)
  const seen: number[] = []
  for (let round = 0; round < rounds + 3; round += 1) {
    const before = process.cpuUsage()
    for (let each = 0; each < answers; each += 1) {
      const observer = createObserver(options, () => {})
      for (const piece of pieces) observer.chunk(piece)
      observer.end(true)
    }
    const { user, system } = process.cpuUsage(before)
    // The first rounds compile.
    if (round >= 3) seen.push((user + system) / answers)
  }
  return median(seen)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

if (import.meta.main) {
  const cast = await openCast()
  try {
    const outcome = await benchMetering(cast)
    process.stdout.write(renderOutcome(outcome))
    if (process.argv.includes('--check') && !outcome.promised.every(isKept)) process.exitCode = 1
  } finally {
    await cast.stop()
  }
}
