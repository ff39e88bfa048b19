// What metering adds to an answer: the observer against JSON.parse of the same bytes, in the same run.
// node bench/observe.ts

import { gunzipSync, gzipSync } from 'node:zlib'
import { createObserver, type Observation, type ObserverOptions } from '../src/gemini/observe.ts'

const ROUNDS = 15
const ANSWERS_PER_ROUND = 4000
const EVENTS = 200

const usage = (candidates: number) => ({
  promptTokenCount: 120,
  candidatesTokenCount: candidates,
  totalTokenCount: 520 + candidates,
  promptTokensDetails: [{ modality: 'TEXT', tokenCount: 120 }],
  thoughtsTokenCount: 400,
  serviceTier: 'standard',
})

const text =
  'Gemini answers in prose, a few "quoted" words, a line\nbreak, and – some – letters beyond ASCII: é, ß, 東京. '

/** A unary answer of about 1.6 KB, pretty-printed as Google does. */
const unary = Buffer.from(
  `${JSON.stringify(
    {
      candidates: [{ content: { parts: [{ text: text.repeat(9) }], role: 'model' }, finishReason: 'STOP', index: 0 }],
      usageMetadata: usage(250),
      modelVersion: 'gemini-3.6-flash',
      responseId: 'NIpyauzXCIXO_uMPpMrAQQ',
    },
    undefined,
    2,
  )}\n`,
)

const packed = gzipSync(unary)

/** One event of a stream, in Google's spacing. */
function event(index: number, last: boolean): string {
  const response = {
    candidates: [
      {
        content: { parts: [{ text: text.slice(0, 40 + (index % 60)) }], role: 'model' },
        ...(last ? { finishReason: 'STOP' } : {}),
        index: 0,
      },
    ],
    usageMetadata: usage(index),
    modelVersion: 'gemini-3.6-flash',
    responseId: 'NIpyauzXCIXO_uMPpMrAQQ',
  }
  return JSON.stringify(response).replaceAll('":', '": ')
}

const events = Array.from({ length: EVENTS }, (_, index) => event(index, index === EVENTS - 1))
const chunks = events.map((json) => Buffer.from(`data: ${json}\r\n\r\n`))
const payloads = events.map((json) => Buffer.from(json))

function observe(options: ObserverOptions, pieces: Buffer[]): Observation | undefined {
  let seen: Observation | undefined
  const observer = createObserver(options, (observation) => {
    seen = observation
  })
  for (const piece of pieces) observer.chunk(piece)
  observer.end(true)
  return seen
}

let sink = 0

const work = {
  'unary, observed': () => {
    for (let index = 0; index < ANSWERS_PER_ROUND; index += 1) {
      sink += observe({ dialect: 'native', framing: 'unary' }, [unary])?.usage.totalTokens ?? 0
    }
    return ANSWERS_PER_ROUND
  },
  'unary, JSON.parse': () => {
    for (let index = 0; index < ANSWERS_PER_ROUND; index += 1) {
      sink += JSON.parse(unary.toString()).usageMetadata.totalTokenCount
    }
    return ANSWERS_PER_ROUND
  },
  'unary gzip, observed': () => {
    const options: ObserverOptions = { dialect: 'native', framing: 'unary', contentEncoding: 'gzip' }
    for (let index = 0; index < ANSWERS_PER_ROUND / 10; index += 1) {
      sink += observe(options, [packed])?.usage.totalTokens ?? 0
    }
    return ANSWERS_PER_ROUND / 10
  },
  'unary gzip, JSON.parse': () => {
    for (let index = 0; index < ANSWERS_PER_ROUND / 10; index += 1) {
      sink += JSON.parse(gunzipSync(packed).toString()).usageMetadata.totalTokenCount
    }
    return ANSWERS_PER_ROUND / 10
  },
  'stream chunk, observed': () => {
    const streams = ANSWERS_PER_ROUND / 100
    for (let index = 0; index < streams; index += 1) {
      sink += observe({ dialect: 'native', framing: 'sse' }, chunks)?.usage.totalTokens ?? 0
    }
    return streams * EVENTS
  },
  'stream chunk, JSON.parse': () => {
    const streams = ANSWERS_PER_ROUND / 100
    for (let index = 0; index < streams; index += 1) {
      for (const payload of payloads) sink += JSON.parse(payload.toString()).usageMetadata.totalTokenCount
    }
    return streams * EVENTS
  },
}

/** CPU µs per item: median of the rounds, the rounds of all interleaved so that they share the machine's moods. */
const times = new Map<string, number[]>(Object.keys(work).map((name) => [name, []]))
for (let round = 0; round < ROUNDS + 3; round += 1) {
  for (const [name, run] of Object.entries(work)) {
    const start = process.cpuUsage()
    const items = run()
    const used = process.cpuUsage(start)
    if (round >= 3) times.get(name)?.push((used.user + used.system) / items)
  }
}

const median = (name: string): number => {
  const sorted = [...(times.get(name) ?? [])].sort((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

const lines = [
  `node ${process.version}, unary ${unary.length} B, chunk ${Math.round(Buffer.concat(chunks).length / EVENTS)} B, median of ${ROUNDS} rounds (checksum ${sink})`,
  ...['unary', 'unary gzip', 'stream chunk'].map((what) => {
    const observed = median(`${what}, observed`)
    const parsed = median(`${what}, JSON.parse`)
    return `${what.padEnd(14)} ${observed.toFixed(2)} µs observed, ${parsed.toFixed(2)} µs JSON.parse alone, ratio ${(observed / parsed).toFixed(2)}`
  }),
]
process.stdout.write(`${lines.join('\n')}\n`)
