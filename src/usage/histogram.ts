// Latency histograms with buckets at powers of 2^(1/16): merging adds counts, so hours add up to days exactly, in any order.
// Non-null assertions: every index is within the fixed length, and this is the one hot loop of reports.
// The base is that of an OpenTelemetry exponential histogram of scale 4. A percentile is off by at most 2.2 %.

const perOctave = 16
const minMs = 1
const maxMs = 3_600_000
const last = Math.ceil(Math.log2(maxMs) * perOctave)

/** Counts by bucket; bucket i holds values in (2^((i-1)/16), 2^(i/16)] ms, bucket 0 everything up to 1 ms. */
export type Histogram = Float64Array

export function createHistogram(): Histogram {
  return new Float64Array(last + 1)
}

/** Adds one value in ms, clamped to 1 ms … 1 h; what is no number is left out. */
export function addSample(histogram: Histogram, ms: number): void {
  if (!Number.isFinite(ms)) return
  const clamped = Math.min(maxMs, Math.max(minMs, ms))
  // The epsilon keeps exact powers of two in the bucket they close, whatever log2 rounds to.
  const bucket = Math.max(0, Math.ceil(Math.log2(clamped) * perOctave - 1e-9))
  histogram[bucket]! += 1
}

/** Adds the counts of `other` to `into`. Associative and commutative. */
export function mergeHistogram(into: Histogram, other: Histogram): void {
  for (let bucket = 0; bucket <= last; bucket += 1) into[bucket]! += other[bucket]!
}

export function countSamples(histogram: Histogram): number {
  let count = 0
  for (let bucket = 0; bucket <= last; bucket += 1) count += histogram[bucket]!
  return count
}

/** The value in ms below or at which the share `q` (0 … 1) of the samples lies; null without samples. */
export function percentile(histogram: Histogram, q: number): number | null {
  const total = countSamples(histogram)
  if (total === 0) return null
  const rank = Math.max(1, Math.ceil(q * total))
  let seen = 0
  for (let bucket = 0; bucket <= last; bucket += 1) {
    seen += histogram[bucket]!
    // The geometric middle of the bucket: the error is the same upwards and downwards.
    if (seen >= rank) return bucket === 0 ? minMs : Math.min(maxMs, 2 ** ((bucket - 0.5) / perOctave))
  }
  return maxMs
}

/** Pairs of (gap to the previous bucket, count) as LEB128 numbers; 2 bytes for a bucket with few samples. */
export function encodeHistogram(histogram: Histogram): Uint8Array {
  const bytes: number[] = []
  let previous = 0
  for (let bucket = 0; bucket <= last; bucket += 1) {
    const count = histogram[bucket]!
    if (count === 0) continue
    writeNumber(bytes, bucket - previous)
    writeNumber(bytes, count)
    previous = bucket
  }
  return Uint8Array.from(bytes)
}

/**
 * The inverse of encodeHistogram, of the bytes in [from, to), added to `into`. Bytes that are cut short or out of range are
 * left out, never thrown at.
 */
export function decodeHistogram(
  bytes: Uint8Array,
  into: Histogram = createHistogram(),
  from = 0,
  to = bytes.length,
): Histogram {
  let bucket = 0
  let isGap = true
  let value = 0
  let weight = 1
  for (let at = from; at < to && at < bytes.length; at += 1) {
    const byte = bytes[at]!
    value += (byte & 127) * weight
    weight *= 128
    if (byte >= 128) {
      if (weight > 2 ** 49) return into
      continue
    }
    if (isGap) bucket += value
    else into[bucket]! += value
    if (bucket > last) return into
    isGap = !isGap
    value = 0
    weight = 1
  }
  return into
}

/** Appends a whole number that is not negative as LEB128. */
export function writeNumber(bytes: number[], value: number): void {
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
}
