import fc from 'fast-check'
import t from 'tap'
import { formatDuration, formatSize, parseDuration, parseSize } from '../config/units.ts'

t.test('durations are read as people write them, in milliseconds', async (t) => {
  const examples: [string, number][] = [
    ['500ms', 500],
    ['5s', 5_000],
    ['2m30s', 150_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['1w', 604_800_000],
    ['0', 0],
    ['0s', 0],
  ]
  for (const [text, milliseconds] of examples) t.equal(parseDuration(text), milliseconds, text)
})

t.test('anything that is not quite a duration is none', async (t) => {
  const wrong = [
    '',
    '5',
    '-5s',
    '5 s',
    '5S',
    's',
    '1.s',
    '.5s',
    '30s2m',
    '1s1s',
    '1e3s',
    '5s ',
    '1y',
    '٥s',
    `${'9'.repeat(30)}w`,
  ]
  for (const text of wrong) t.equal(parseDuration(text), undefined, JSON.stringify(text))
})

t.test('sizes count MB in thousands and MiB in 1024s, in bytes', async (t) => {
  const examples: [string, number][] = [
    ['20MB', 20_000_000],
    ['20 mb', 20_000_000],
    ['20MiB', 20_971_520],
    ['512KB', 512_000],
    ['1GiB', 1_073_741_824],
    ['1.5KB', 1_500],
    ['10B', 10],
    ['0', 0],
  ]
  for (const [text, bytes] of examples) t.equal(parseSize(text), bytes, text)
})

t.test('anything that is not quite a size is none', async (t) => {
  const wrong = ['', '20', '-1MB', '1M', 'MB', '1  MB', '1XB', '1MBs', '1e3KB', '0x10MB', `${'9'.repeat(30)}TB`]
  for (const text of wrong) t.equal(parseSize(text), undefined, JSON.stringify(text))
})

t.test('every duration and size is read back as it was written', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (amount) => {
        return parseDuration(formatDuration(amount)) === amount && parseSize(formatSize(amount)) === amount
      }),
    ),
  )
})

t.test('no text makes the parsers slow or throw', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9.msh]{0,200}$/)), (text) => {
        const values = [parseDuration(text), parseSize(text)]
        return values.every((value) => value === undefined || (Number.isSafeInteger(value) && value >= 0))
      }),
    ),
  )
})
