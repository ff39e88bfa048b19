import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { loadConfig } from '../config/load.ts'
import { type Read, readRecorded } from '../src/cache/recorded.ts'
import { createRehearsal } from '../src/cache/rehearsal.ts'
import { read } from '../src/cache/settings.ts'
import { pricesOf } from '../src/usage/configured.ts'
import { question } from './cache-ask.ts'

const recordings = fileURLToPath(new URL('../../shared/data/recordings/', import.meta.url))
const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
const url = 'https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent'

/** One call as JSON lines have it. */
function line(text: string, at: string, over: { finishReason?: string; url?: string } = {}): object {
  const { finishReason = 'STOP' } = over
  return {
    startedAt: at,
    durationMs: 2000,
    request: { method: 'POST', url: over.url ?? url, headers: { 'x-goog-api-key': 'k' }, body: question(text) },
    response: {
      status: 200,
      headers: { 'content-type': 'application/json; charset=UTF-8' },
      body: {
        candidates: [{ content: { parts: [{ text: `on ${text}: {"[` }], role: 'model' }, finishReason, index: 0 }],
        usageMetadata: { promptTokenCount: 1000, candidatesTokenCount: 1000, totalTokenCount: 2000 },
      },
    },
  }
}

const traffic = [
  line('a', '2026-06-01T10:00:00Z'),
  line('a', '2026-06-01T10:00:01Z'),
  line('a', '2026-06-01T10:10:00Z'),
  line('a', '2026-06-01T12:00:00Z'),
  line('b', '2026-06-01T12:00:00Z', { finishReason: 'SAFETY' }),
  line('b', '2026-06-01T12:05:00Z'),
  { startedAt: '2026-06-01T12:05:00Z', request: { method: 'GET', url: '/v1beta/models' }, response: { status: 200 } },
]

/** The same calls as a browser's recording. */
function har(calls: typeof traffic): object {
  const headers = (of: Record<string, string> = {}) => Object.entries(of).map(([name, value]) => ({ name, value }))
  const entries = (calls as ReturnType<typeof recordedShape>[]).map(({ startedAt, durationMs, request, response }) => ({
    startedDateTime: startedAt,
    time: durationMs,
    request: {
      ...request,
      headers: headers(request.headers),
      postData: { mimeType: 'application/json', text: JSON.stringify(request.body) },
    },
    response: {
      ...response,
      headers: headers(response.headers),
      content: {
        mimeType: 'application/json',
        encoding: 'base64',
        text: Buffer.from(JSON.stringify(response.body ?? '')).toString('base64'),
      },
    },
  }))
  return { log: { version: '1.2', creator: { name: '"entries": [{' }, pages: [{ id: 'p' }], entries } }
}

function recordedShape() {
  type Part = { headers?: Record<string, string>; body?: unknown }
  return { startedAt: '', durationMs: 0, request: {} as Part, response: {} as Part }
}

async function* cut(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function all(text: string, size = 65_536): Promise<Read[]> {
  const found: Read[] = []
  for await (const one of readRecorded(cut(text, size))) found.push(one)
  return found
}

async function rehearse(text: string) {
  const config = loadConfig({ env: {} })
  const rehearsal = createRehearsal({
    settings: read(config, config.cache.ttl),
    prices: pricesOf(config, () => {}),
    maxEntries: 1000,
  })
  for (const found of await all(text)) if ('call' in found) rehearsal.see(found.call)
  return rehearsal.result
}

const lines = traffic.map((call) => JSON.stringify(call)).join('\n')

t.test('recorded traffic tells what would have been saved, by operation and model', async (t) => {
  const result = await rehearse(lines)
  t.match(result, { calls: 6, exact: 1, coalesced: 1, other: 1, refused: { 'finish-reason': 1 }, untimed: 0 })
  t.equal(result.savedSeconds, 2, 'the one that joined a call in flight waited nearly as long')
  t.equal(result.savedUsd, result.costUsd / 3)
  t.ok(result.savedUsd > 0)
  t.match(result.kinds, { 'generateContent gemini-2.5-flash': { calls: 6 } })
})

t.test('a HAR file says the same as lines', async (t) => {
  t.same(await rehearse(JSON.stringify(har(traffic), undefined, 2)), await rehearse(lines))
})

t.test('calls are found wherever the file is cut', async (t) => {
  const whole = { lines: await all(lines), har: await all(JSON.stringify(har(traffic))) }
  t.equal(whole.har.length, traffic.length)
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 250, max: 4000 }), async (size) => {
      t.same(await all(lines, size), whole.lines)
      t.same(await all(JSON.stringify(har(traffic)), size), whole.har)
    }),
    { numRuns: 12 },
  )
})

t.test('what is no call is counted and passed over', async (t) => {
  const found = await all(`{"a":1}\n{"request":{}}\n${JSON.stringify(traffic[0])}\n{"request":`)
  t.same(
    found.map((one) => ('call' in one ? 'call' : one.skipped)),
    ['unreadable', 'unreadable', 'call'],
  )
  t.same(await all(''), [])
})

t.test('memory stays flat over a long recording', async (t) => {
  async function* long(): AsyncGenerator<Buffer> {
    const filler = JSON.stringify(line('x'.repeat(20_000), '2026-06-01T10:00:00Z'))
    for (let index = 0; index < 8000; index++) yield Buffer.from(`${filler}\n`)
  }
  let calls = 0
  let peak = 0
  const before = process.memoryUsage.rss()
  for await (const found of readRecorded(long())) {
    if ('call' in found) calls++
    if (calls % 500 === 0) peak = Math.max(peak, process.memoryUsage.rss())
  }
  t.equal(calls, 8000)
  t.ok(peak - before < 100e6, `160 MB of recording, ${Math.round((peak - before) / 1e6)} MB more resident`)
})

t.test('real recordings are read', { skip: !existsSync(recordings) && 'no recordings here' }, async (t) => {
  const folder = join(recordings, 'raw', 'ellmer')
  const calls = readdirSync(folder)
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')))
    .filter(({ requestBody, responseBody }) => typeof requestBody === 'string' && typeof responseBody === 'string')
    .map((one) => ({
      request: { method: one.method, url: one.url, headers: one.requestHeaders, body: one.requestBody },
      response: { status: one.status, headers: one.responseHeaders, body: one.responseBody },
    }))
  const twice = [...calls, ...calls].map((call) => JSON.stringify(call)).join('\n')
  const result = await rehearse(twice)
  t.ok(result.calls > 20, `${result.calls} calls`)
  t.ok(result.exact >= result.calls / 4, `${result.exact} hits`)
})

t.test('the command line tells it as a table, as JSON, and by its exit code', async (t) => {
  const dir = t.testdir({ 'calls.jsonl': lines, 'empty.jsonl': '' })
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, [cli, 'replay', ...args], { env: { PATH: process.env.PATH ?? '' } })
  const [text, json] = await Promise.all([run(join(dir, 'calls.jsonl')), run(join(dir, 'calls.jsonl'), '--json')])
  t.match(text.stdout, /generateContent gemini-2\.5-flash +6 +2 +33\.3 %/)
  t.match(JSON.parse(json.stdout), { calls: 6, exact: 1, coalesced: 1 })
  await t.rejects(run(join(dir, 'empty.jsonl')), { code: 65 })
})
