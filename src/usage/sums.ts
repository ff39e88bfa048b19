// The sums of one rollup row in one piece of bytes: only what is not zero, so a row takes some fifty bytes, a new measure
// needs no migration, and a report over tens of thousands of rows reads them in a blink.
import { createHistogram, decodeHistogram, encodeHistogram, type Histogram, writeNumber } from './histogram.ts'
import { type Measures, measureNames } from './measure.ts'

export interface Sums {
  /** By place in measureNames. Numbers by place and not by name: this is the hot loop of reports. */
  values: Float64Array
  latency: Histogram
  firstByte: Histogram
}

const untimed = createHistogram()

/** Sums of nothing. Without times the histograms are one shared empty one, which nobody may add to. */
export function noSums(timed = true): Sums {
  return {
    values: new Float64Array(measureNames.length),
    latency: timed ? createHistogram() : untimed,
    firstByte: timed ? createHistogram() : untimed,
  }
}

/** Adds measures, `times` times (-1 takes them away). */
export function addToSums(sums: Sums, measures: Measures, times = 1): void {
  for (let index = 0; index < measureNames.length; index += 1) {
    sums.values[index]! += times * measures[measureNames[index]!]
  }
}

export function measuresIn(sums: Sums): Measures {
  const measures = {} as Measures // filled on the next line, for every name
  for (let index = 0; index < measureNames.length; index += 1) measures[measureNames[index]!] = sums.values[index]!
  return measures
}

const callsAt = measureNames.indexOf('calls')
const costAt = measureNames.indexOf('cost')

/** What statements.putRollup takes after bucket and key. */
export function putValues(sums: Sums): [calls: number, cost: number, sums: Uint8Array] {
  return [sums.values[callsAt]!, sums.values[costAt]!, encodeSums(sums)]
}

/** Adds calls and cost alone. */
export function addHeadline(sums: Sums, calls: number, cost: number): void {
  sums.values[callsAt]! += calls
  sums.values[costAt]! += cost
}

/** Length of the measures, pairs of (place in measureNames, zigzag value), length of the latencies, both histograms. */
export function encodeSums({ values, latency, firstByte }: Sums): Uint8Array {
  const pairs: number[] = []
  for (let index = 0; index < values.length; index += 1) {
    const value = Math.round(values[index]!)
    if (value === 0) continue
    writeNumber(pairs, index)
    // Savings of trimming may be negative. Exact up to 2^52, $4.5 million in one row.
    writeNumber(pairs, value > 0 ? value * 2 : -value * 2 - 1)
  }
  const head: number[] = []
  writeNumber(head, pairs.length)
  const times = encodeHistogram(latency)
  const middle: number[] = []
  writeNumber(middle, times.length)
  return Buffer.concat([
    Uint8Array.from(head),
    Uint8Array.from(pairs),
    Uint8Array.from(middle),
    times,
    encodeHistogram(firstByte),
  ])
}

// Where the number that was read last ended. A variable of the module, since a result of two numbers would be an object.
let cursor = 0

function readNumber(bytes: Uint8Array, from: number): number {
  let at = from
  let byte = at < bytes.length ? bytes[at]! : 0
  at += 1
  let value = byte & 127
  for (let weight = 128; byte >= 128 && at < bytes.length; weight *= 128) {
    byte = bytes[at]!
    at += 1
    value += (byte & 127) * weight
  }
  cursor = at
  return value
}

/** Adds what `bytes` hold to `into`; the histograms only when `timed`. Measures of a newer version are left out. */
export function decodeSums(bytes: Uint8Array, into: Sums, timed = true): void {
  const { values } = into
  const length = readNumber(bytes, 0)
  const end = Math.min(bytes.length, cursor + length)
  let at = cursor
  while (at < end) {
    const index = readNumber(bytes, at)
    const value = readNumber(bytes, cursor)
    at = cursor
    if (index < values.length) values[index]! += value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
  if (!timed) return
  const times = readNumber(bytes, end)
  const middle = cursor
  decodeHistogram(bytes, into.latency, middle, middle + times)
  decodeHistogram(bytes, into.firstByte, middle + times)
}
