import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import type { Advice } from '../src/cache/advice.ts'
import type { Figures } from '../src/cache/figures.ts'
import { ask, moveClock } from './cache-ask.ts'
import { gateway } from './helper.ts'

const on = 'cache: { mode: "on" }'
const prefix = '/api/ai-engine/optimization'
const cli = new URL('../src/cli.ts', import.meta.url).pathname

async function get<Answer = Figures>(url: string, path: string): Promise<{ status: number; body: Answer }> {
  const response = await fetch(url + prefix + path)
  // The test names what it expects, and checks it.
  return { status: response.status, body: (await response.json()) as Answer }
}

interface Told {
  removed: number
  applied: boolean
  advice: Advice[]
}

async function post(url: string, path: string, body: unknown): Promise<{ status: number; body: Told }> {
  const response = await fetch(url + prefix + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as Told }
}

/** The command line against a running gateway. */
async function castor(args: string[], env: Record<string, string> = {}) {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [cli, 'cache', ...args], {
      env: { PATH: process.env.PATH ?? '', ...env },
      timeout: 20_000,
    })
    return { code: 0, stdout, stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}

t.test('metrics tell hits by kind, what was saved, and what was not kept and why', async (t) => {
  const { url, emulator } = await gateway(t, on, { emulator: { firstByteMs: 40 } })
  await Promise.all([ask(url, 'x'), ask(url, 'x'), ask(url, 'x')])
  await ask(url, 'x')
  await ask(url, 'y')
  emulator.faults.add({ fault: { kind: 'finish', reason: 'SAFETY' }, times: 1 })
  await ask(url, 'z')
  await ask(url, 'w', { headers: { 'cache-control': 'no-store' } })
  const { status, body } = await get(url, '/cache/metrics/?days=3')
  t.equal(status, 200)
  t.match(body, {
    days: 3,
    mode: 'on',
    from: 'ledger',
    hits: { exact: 1, coalesced: 2, stale: 0, total: 3 },
    misses: 3,
    bypassed: 1,
    hitRate: 0.5,
    grade: 'poor',
    saved: { calls: 3 },
    process: { notKept: { 'finish-reason': 1 }, memory: { entries: 2 }, store: { name: 'sqlite', away: false } },
  })
  t.ok(body.saved.usd > 0, 'the ledger knows the prices')
  t.ok(body.process.savedSeconds >= 0.04)
  t.ok(Date.parse(body.since) <= Date.now())
})

t.test('without books the figures are those of this process, and say so', async (t) => {
  const { url } = await gateway(t, `${on}\nmetering: { enabled: false }`)
  await ask(url, 'x')
  await ask(url, 'x')
  const { body } = await get(url, '/cache/metrics/')
  t.match(body, { days: 7, from: 'process', hits: { exact: 1, total: 1 }, misses: 1, hitRate: 0.5 })
})

t.test('a purge by scope forgets exactly what it names', async (t) => {
  const { url, emulator } = await gateway(t, on)
  const pro = '/v1beta/models/gemini-2.5-pro:generateContent'
  const all = async () => {
    await ask(url, 'a')
    await ask(url, 'a', { key: 'two' })
    await ask(url, 'a', { path: pro })
    await ask(url, 'a', { headers: { 'x-castor-tags': 'team=red' } })
    await ask(url, 'b', { headers: { 'x-castor-tags': 'team=red' } })
    await ask(url, 'a', { headers: { 'x-castor-interaction': 'summary' } })
  }
  await all()
  const before = emulator.count()
  const askedAgainAfter = async (body: object) => {
    const { body: answer } = await post(url, '/cache/cleanup/', body)
    const had = emulator.count()
    await all()
    return { removed: answer.removed, asked: emulator.count() - had }
  }
  t.equal(before, 5, 'tags tell nothing apart')
  t.same(await askedAgainAfter({ model: 'gemini-2.5-pro' }), { removed: 1, asked: 1 })
  t.same(await askedAgainAfter({ tag: 'team=red' }), { removed: 1, asked: 1 })
  t.same(await askedAgainAfter({ interaction: 'summary' }), { removed: 1, asked: 1 })
  const { body: health } = await get<{ parts: { cache: object } }>(url, '/service/health/')
  t.match(health.parts.cache, { status: 'ok', store: 'sqlite' })
  t.same(await askedAgainAfter({ all: true }), { removed: 5, asked: 5 })
  t.same(await askedAgainAfter({}), { removed: 0, asked: 0 }, 'nothing is past its use')
})

t.test('a purge names callers as the logs do', async (t) => {
  const { url, emulator, log } = await gateway(t, on)
  await ask(url, 'a')
  await ask(url, 'a', { key: 'two' })
  const line = log.find(({ msg }) => msg === 'request')
  t.match(await post(url, '/cache/cleanup/', { tenant: line?.key }), { status: 200, body: { removed: 1 } })
  await ask(url, 'a')
  await ask(url, 'a', { key: 'two' })
  t.equal(emulator.count(), 3)
})

t.test('a purge is for operators, and takes one scope of those there are', async (t) => {
  const { url } = await gateway(t, `${on}\nadmin: { token: "${'s'.repeat(40)}" }`)
  t.equal((await post(url, '/cache/cleanup/', { all: true })).status, 401)
  const open = await gateway(t, on)
  for (const body of [{ all: true, model: 'x' }, { modle: 'x' }, { model: '' }, { tag: 7 }, { all: 'yes' }]) {
    t.equal((await post(open.url, '/cache/cleanup/', body)).status, 400, JSON.stringify(body))
  }
})

t.test('optimize tells what a longer life would have answered, and applies it when asked to', async (t) => {
  const { url, emulator } = await gateway(t, 'cache: { mode: "on", ttl: 10s, staleIfError: 0s }')
  for (const text of ['a', 'b', 'c']) await ask(url, text)
  t.match((await post(url, '/cache/optimize/', {})).body, { applied: false, advice: [] })
  moveClock(t, 15_000)
  for (const text of ['a', 'b']) t.match((await ask(url, text)).cache, /fwd=miss/)
  const told = await post(url, '/cache/optimize/', {})
  t.match(told.body, {
    applied: false,
    advice: [{ setting: 'cache.ttl', from: 10_000, to: 20_000, hits: 2, yaml: 'cache:\n  ttl: 20s\n' }],
  })
  t.ok((told.body.advice[0]?.savedUsd ?? 0) > 0)
  t.match((await post(url, '/cache/optimize/', { apply: true })).body, { applied: true })
  await ask(url, 'd')
  moveClock(t, 15_000)
  t.match((await ask(url, 'd')).cache, /hit/, 'it lives longer now')
  t.equal(emulator.count(), 6)
})

t.test('optimize tells what more room would have answered', async (t) => {
  const { url } = await gateway(t, 'cache: { mode: "on", store: memory, maxEntries: 4 }')
  for (let round = 0; round < 3; round++) {
    for (const text of ['a', 'b', 'c', 'd', 'e', 'f']) await ask(url, text)
  }
  const { body } = await post(url, '/cache/optimize/', {})
  t.match(body.advice, [{ setting: 'cache.maxEntries', from: 4, to: 8, yaml: 'cache:\n  maxEntries: 8\n' }])
  await post(url, '/cache/optimize/', { apply: true })
  for (const text of ['a', 'b', 'c', 'd', 'e', 'f']) await ask(url, text)
  for (const text of ['a', 'b', 'c', 'd', 'e', 'f']) t.match((await ask(url, text)).cache, /hit/)
})

t.test('shadow mode says how often memory would have answered the same', async (t) => {
  const words = ['The twins of Leda.', 'The twins of Leda.', 'A star in the north.']
  let answered = 0
  const { url, emulator } = await gateway(t, 'cache: { mode: shadow }', {
    emulator: { answer: () => words[answered++] },
  })
  const first = await ask(url, 'x')
  await ask(url, 'x')
  await ask(url, 'x')
  const { body } = await get(url, '/cache/metrics/')
  t.match(body.process.shadow, { hits: 2, hitRate: 2 / 3, compared: { agreed: 1, differed: 1 }, agreement: 0.5 })
  t.ok(body.process.shadow.savedUsd > 0)
  t.equal(first.status, 200)
  t.equal(emulator.count(), 3)
})

t.test('the command line shows, cleans, purges and tunes', async (t) => {
  const token = 's'.repeat(40)
  const { url } = await gateway(t, `${on}\nadmin: { token: "${token}" }`)
  await ask(url, 'x')
  await ask(url, 'x')
  const env = { CASTOR_ADMIN_TOKEN: token }
  const [stats, json, cleaned, optimized] = await Promise.all([
    castor(['--url', url], env),
    castor(['--stats', '--json', '--url', url], env),
    castor(['--cleanup', '--url', url], env),
    castor(['--optimize', '--url', url], env),
  ])
  t.equal(stats.code, 0)
  t.match(stats.stdout, /hits +1: 1 exact/)
  t.match(JSON.parse(json.stdout), { hits: { exact: 1 } })
  t.match(cleaned.stdout, /Removed 0 answers/)
  t.match(optimized.stdout, /Nothing was asked for again/)
  t.match((await castor(['--purge', 'model=gemini-2.5-flash', '--url', url], env)).stdout, /1 answer forgotten/)
})

t.test('the command line fails with a reason and a code for scripts', async (t) => {
  const gone = await gateway(t, on)
  await gone.close()
  const absent = await castor(['--url', gone.url])
  t.equal(absent.code, 69)
  t.match(absent.stderr, `no gateway answers at ${gone.url} (ECONNREFUSED)`)
  const { url } = await gateway(t, `${on}\nadmin: { token: "${'s'.repeat(40)}" }`)
  const refused = await castor(['--url', url])
  t.equal(refused.code, 77)
  t.match(refused.stderr, /CASTOR_ADMIN_TOKEN/)
  t.equal((await castor(['--purge', 'everything'])).code, 1)
})
