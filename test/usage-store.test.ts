/** The books when their store is in trouble: calls go on, the health says so, and nothing that can be kept is lost. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startEmulator } from '../src/emulator/emulator.ts'
import { startGateway } from '../src/serve.ts'
import { type Closing, gateway, until } from './helper.ts'

const flash = '/v1beta/models/gemini-2.5-flash:generateContent'
const question = JSON.stringify({ contents: [{ parts: [{ text: 'Who was Castor?' }] }] })

async function ask(url: string): Promise<Response> {
  const response = await fetch(url + flash, {
    method: 'POST',
    headers: { 'x-goog-api-key': 'key-a', 'content-type': 'application/json' },
    body: question,
  })
  await response.clone().arrayBuffer()
  return response
}

interface Usage {
  parts: { usage: { status: string; pendingEvents: number; message?: string } }
  status: string
}

async function health(url: string): Promise<Usage> {
  const response = await fetch(`${url}/api/ai-engine/optimization/service/health/`)
  // The route's own schema says so, and the tests below look at it.
  return (await response.json()) as Usage
}

/** A directory in whose place the books would like a file. */
function blocked(...names: string[]): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'castor-store-'))
  for (const name of names) mkdirSync(join(dataDir, name))
  return dataDir
}

async function running(t: Closing, dataDir: string, more: object = {}) {
  const emulator = await startEmulator()
  t.teardown(async () => {
    await emulator.close()
    rmSync(dataDir, { recursive: true, force: true })
  })
  const settings = {
    server: { port: 0, drain: '1s' },
    upstream: { url: emulator.url },
    dataDir,
    log: { level: 'silent' },
    cache: { mode: 'off' },
    ...more,
  }
  return {
    emulator,
    start: () => startGateway({ file: 'store settings', text: JSON.stringify(settings), env: {} }),
  }
}

t.test('a usage file that cannot be opened leaves the calls alone, and the health says so', async (t) => {
  const { start, emulator } = await running(t, blocked('usage.db'))
  const castor = await start()
  t.equal((await ask(castor.url)).status, 200)
  t.equal(emulator.count(), 1)
  // It is met at the first commit, a moment after the call.
  let told = await health(castor.url)
  for (let looks = 0; told.status === 'ok' && looks < 200; looks += 1) told = await health(castor.url)
  const { parts, status } = told
  t.match(parts.usage, { status: 'degraded', pendingEvents: 1, message: /journal/ })
  t.equal(status, 'degraded')
  t.equal(await castor.stop(), true, 'and it ends in order')
})

t.test('a journal that cannot be opened does neither', async (t) => {
  const { start } = await running(t, blocked('usage.journal.0', 'usage.journal.1'))
  const castor = await start()
  t.equal((await ask(castor.url)).status, 200)
  t.equal((await health(castor.url)).parts.usage.status, 'ok')
  await castor.stop()
})

t.test('what waited in the journal is booked when the store is back', async (t) => {
  const dataDir = blocked('usage.db')
  const { start } = await running(t, dataDir)
  const first = await start()
  await ask(first.url)
  await first.stop()
  rmSync(join(dataDir, 'usage.db'), { recursive: true })
  const second = await start()
  const response = await fetch(`${second.url}/api/ai-engine/optimization/status/`)
  t.match(await response.json(), { headline: { calls: 1 } })
  await second.stop()
})

t.test('a budget knows after a restart what was spent before', async (t) => {
  const dataDir = blocked()
  const { start } = await running(t, dataDir, { budgets: [{ name: 'tight', usdPerDay: 0.000001 }] })
  const first = await start()
  t.equal((await ask(first.url)).status, 200)
  await first.stop()
  const second = await start()
  t.equal((await ask(second.url)).status, 429)
  await second.stop()
})

t.test('jobs whose file cannot be opened do not keep the gateway from answering', async (t) => {
  const { start } = await running(t, blocked('jobs.db'))
  const castor = await start()
  t.equal((await ask(castor.url)).status, 200)
  t.match(await health(castor.url), { parts: { schedule: { status: 'down' } } })
  await castor.stop()
})

t.test('a booking that fails is logged, and the answer stands', async (t) => {
  const house = await gateway(t)
  const { books } = house.app.castor
  t.ok(books)
  if (books !== null)
    house.app.castor.books = Object.assign(books, {
      settle() {
        throw new Error('broken books')
      },
    })
  t.equal((await ask(house.url)).status, 200)
  await until(() => house.log.some(({ msg }) => msg === 'request'))
  t.ok(house.log.some(({ msg }) => msg === 'an exchange could not be booked'))
})
