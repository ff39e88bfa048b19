import fc from 'fast-check'
import t from 'tap'
import {
  addSample,
  countSamples,
  createHistogram,
  decodeHistogram,
  encodeHistogram,
  type Histogram,
  mergeHistogram,
  percentile,
} from '../src/usage/histogram.ts'
import { measureNames, noMeasures } from '../src/usage/measure.ts'
import { addToSums, decodeSums, encodeSums, measuresIn, noSums } from '../src/usage/sums.ts'

const samples = fc.array(fc.double({ min: 0.01, max: 5_000_000, noNaN: true }), { maxLength: 300 })

function histogramOf(values: number[]): Histogram {
  const histogram = createHistogram()
  for (const value of values) addSample(histogram, value)
  return histogram
}

function merged(...histograms: Histogram[]): Histogram {
  const into = createHistogram()
  for (const histogram of histograms) mergeHistogram(into, histogram)
  return into
}

t.test('percentiles are within 2.2 % of the sorted samples', async () => {
  fc.assert(
    fc.property(
      samples.filter((values) => values.length > 0),
      fc.constantFrom(0.5, 0.95, 0.99, 1),
      (values, q) => {
        const clamped = values.map((value) => Math.min(3_600_000, Math.max(1, value))).sort((a, b) => a - b)
        const exact = clamped[Math.max(1, Math.ceil(q * clamped.length)) - 1] ?? Number.NaN
        const found = percentile(histogramOf(values), q) ?? Number.NaN
        return Math.abs(found - exact) <= exact * 0.0222
      },
    ),
  )
})

t.test('merging is the same as having seen all samples, in any grouping', async (t) => {
  fc.assert(
    fc.property(samples, samples, samples, (a, b, c) => {
      const whole = encodeHistogram(histogramOf([...a, ...b, ...c]))
      const left = merged(merged(histogramOf(a), histogramOf(b)), histogramOf(c))
      const right = merged(histogramOf(c), merged(histogramOf(b), histogramOf(a)))
      return Buffer.compare(whole, encodeHistogram(left)) === 0 && Buffer.compare(whole, encodeHistogram(right)) === 0
    }),
  )
  t.equal(countSamples(merged()), 0)
})

t.test('encoding is lossless and small', async (t) => {
  fc.assert(
    fc.property(samples, (values) => {
      const histogram = histogramOf(values)
      const decoded = decodeHistogram(encodeHistogram(histogram))
      return countSamples(decoded) === values.length && histogram.every((count, bucket) => decoded[bucket] === count)
    }),
  )
  const large = createHistogram()
  large[349] = 5_000_000_000
  t.equal(decodeHistogram(encodeHistogram(large))[349], 5_000_000_000)
  t.ok(encodeHistogram(histogramOf([500])).length <= 4)
})

t.test('the sums of a row are kept in one piece, negative ones too, and add up', async () => {
  const values = fc.array(fc.integer({ min: -1_000_000, max: 4_000_000_000_000 }), {
    minLength: measureNames.length,
    maxLength: measureNames.length,
  })
  fc.assert(
    fc.property(samples, samples, values, (a, b, numbers) => {
      const measures = noMeasures()
      for (const [index, name] of measureNames.entries()) measures[name] = index % 3 === 0 ? 0 : (numbers[index] ?? 0)
      const given = { ...noSums(), latency: histogramOf(a), firstByte: histogramOf(b) }
      addToSums(given, measures)
      const bytes = encodeSums(given)
      const sums = noSums()
      decodeSums(bytes, sums)
      decodeSums(bytes, sums, false)
      return (
        measureNames.every((name) => measuresIn(sums)[name] === 2 * measures[name]) &&
        Buffer.compare(encodeHistogram(sums.latency), encodeHistogram(histogramOf(a))) === 0 &&
        countSamples(sums.firstByte) === b.length
      )
    }),
  )
})

t.test('damaged bytes are read as far as they make sense and never thrown at', async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => countSamples(decodeHistogram(bytes)) >= 0))
})

t.test('an empty histogram has no percentile, junk is left out, extremes are clamped', async (t) => {
  t.equal(percentile(createHistogram(), 0.5), null)
  const histogram = histogramOf([Number.NaN, Number.POSITIVE_INFINITY, -5, 1e12])
  t.equal(countSamples(histogram), 2)
  t.equal(percentile(histogram, 0.1), 1)
  t.ok((percentile(histogram, 1) ?? 0) <= 3_600_000)
})
