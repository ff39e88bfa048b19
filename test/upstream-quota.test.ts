import { existsSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { type QuotaNews, quotaNews, readQuota } from '../src/upstream/quota.ts'

const recording = new URL('../../shared/data/recordings/raw/ruby_llm/0118-generateContent-429.json', import.meta.url)
const body = (message: string, ...details: object[]) => JSON.stringify({ error: { code: 429, message, details } })
const violations = (...ids: string[]) => ({ violations: ids.map((quotaId) => ({ quotaId })) })

t.test(
  'a recorded 429 names its quota and its time',
  { skip: existsSync(recording) ? false : 'the recordings (../shared/data/recordings) are not here' },
  async (t) => {
    const { responseBody } = JSON.parse(readFileSync(recording, 'utf8'))
    t.same(quotaNews(responseBody), {
      kind: 'minute',
      delayMs: 48_940,
      quotaId: 'GenerateContentPaidTierInputTokensPerModelPerMinute',
    })
  },
)

t.test('the time is read in each of its forms', async (t) => {
  t.equal(quotaNews(body('', { retryDelay: '38s' })).delayMs, 38_000)
  t.equal(quotaNews(body('', { retryDelay: '47.434392449s' })).delayMs, 47_435)
  t.equal(quotaNews(body('x\nPlease retry in 12.5s.')).delayMs, 12_500)
  t.equal(quotaNews(body('Please retry in 250ms.')).delayMs, 250)
  t.equal(quotaNews(`[${body('', { retryDelay: '1s' })}]`).delayMs, 1000, 'the array of a JSON stream')
})

t.test('a quota of the day wins over one of the minute and over any time', async (t) => {
  const news = quotaNews(
    body('Please retry in 3s.', violations('RequestsPerMinute', 'RequestsPerDay-FreeTier'), { retryDelay: '3s' }),
  )
  t.same(news, { kind: 'day', delayMs: null, quotaId: 'RequestsPerDay-FreeTier' })
})

t.test('what says no time is unclear, and nothing makes it throw', async (t) => {
  t.equal(quotaNews(body('Resource exhausted, please try again later.')).kind, 'unclear')
  for (const text of ['', '<html>', 'null', '[]', '{"error":"x"}', '{"error":{"details":[null,{"violations":[3]}]}}'])
    t.equal(quotaNews(text).kind, 'unclear', text)
  fc.assert(fc.property(fc.json(), (text) => quotaNews(`{"error":${text}}`) !== null))
})

t.test('a body is read in pieces and through its encoding, up to a bound', async (t) => {
  const text = Buffer.from(body('', { retryDelay: '5s' }))
  const read = (headers: string[], ...chunks: Buffer[]): Promise<QuotaNews> =>
    new Promise((resolve) => {
      const reader = readQuota({ headers }, resolve)
      for (const chunk of chunks) reader.chunk(chunk)
      reader.end()
    })
  t.equal((await read([], text.subarray(0, 9), text.subarray(9))).delayMs, 5000)
  t.equal((await read(['Content-Encoding', 'gzip'], gzipSync(text))).delayMs, 5000)
  t.equal((await read([], Buffer.alloc(70_000, ' '), text)).kind, 'unclear')
})
