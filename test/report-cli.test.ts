/** The commands that read the books, on the books of a real gateway. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type Gateway, gateway, until } from './helper.ts'

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url))

interface Ran {
  code: number
  out: string
  err: string
}

/** Runs a command with the settings of a test's gateway. */
function run(house: Pick<Gateway, 'dataDir'>, ...args: string[]): Promise<Ran> {
  const env = { ...process.env, CASTOR_DATA_DIR: house.dataDir, CASTOR_ADMIN_TOKEN: '' }
  return new Promise((resolve) =>
    execFile(process.execPath, [cli, ...args], { env, timeout: 30_000 }, (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err }),
    ),
  )
}

async function traffic(house: Gateway, times: number): Promise<void> {
  for (let each = 0; each < times; each += 1) {
    const response = await fetch(`${house.url}/v1beta/models/gemini-2.5-flash:generateContent`, {
      method: 'POST',
      headers: { 'x-goog-api-key': 'key-a', 'content-type': 'application/json' },
      body: JSON.stringify({ contents: [{ parts: [{ text: 'Who was Castor?' }] }] }),
    })
    await response.arrayBuffer()
  }
  await until(() => house.log.filter(({ msg }) => msg === 'request').length === house.arrivals.length)
  await house.app.castor.books?.ledger.flush()
}

t.test('the books are read beside a gateway that runs', async (t) => {
  const house = await gateway(t)
  await traffic(house, 3)
  const scratch = mkdtempSync(join(tmpdir(), 'castor-cli-'))
  t.teardown(() => rmSync(scratch, { recursive: true, force: true }))
  const output = join(scratch, 'report.html')

  const [text, json, html, suggestions, repriced, health, jobs] = await Promise.all([
    run(house, 'report', '--days', '7'),
    run(house, 'report', '--days', '7', '--format', 'json'),
    run(house, 'report', '--days', '1', '--format', 'html', '--output', output),
    run(house, 'suggestions', '--json'),
    run(house, 'reprice', '--from', '2020-01-01', '--to', '2099-12-31', '--json'),
    run(house, 'health', '--url', house.url),
    run(house, 'jobs', '--url', house.url),
  ])
  t.match(text, { code: 0, out: /^Castor usage report.*\n[\s\S]*Calls\s+3/ })
  t.match(JSON.parse(json.out), { headline: { calls: 3 }, suggestions: Array })
  t.match(html, { code: 0, out: '' })
  t.match(readFileSync(output, 'utf8'), /^<!doctype html>/)
  t.equal(statSync(output).mode & 0o077, 0, 'nobody else reads a bill')
  t.ok(Array.isArray(JSON.parse(suggestions.out)))
  t.strictSame(JSON.parse(repriced.out), { events: 3, changed: 0, differenceUsd: 0 })
  t.match(health, { code: 0, out: /^ok {2}castor [\s\S]*usage\s+ok/ })
  t.match(jobs, { code: 0, out: /dailyReport\s+0 2 \* \* \*/ })
})

t.test('a bill that matches exits 0, one that does not exits 1 and names the day', async (t) => {
  const house = await gateway(t)
  await traffic(house, 2)
  const [event] = (await house.app.castor.books?.ledger.recent(1)) ?? []
  const pacific = new Date(event?.atMs ?? 0).toLocaleDateString('en-CA', { timeZone: 'America/Los_Angeles' })
  const rows = await house.app.castor.books?.ledger.recent(10)
  const usd = (rows ?? []).reduce((sum, { measures }) => sum + measures.cost, 0) / 1e9
  const bill = (cost: number) =>
    `Usage start date,Service description,SKU description,Cost ($)\n${pacific},Gemini API,Generate content output token count gemini 2.5 flash,${cost.toFixed(9)}\n`
  const file = join(house.dataDir, 'bill.csv')
  writeFileSync(file, bill(usd))
  t.match(await run(house, 'reconcile', file), { code: 0, out: /match/ })
  writeFileSync(file, bill(usd + 5))
  const other = await run(house, 'reconcile', file, '--json')
  t.equal(other.code, 1)
  t.match(JSON.parse(other.out).lines, [{ date: pacific, model: 'gemini-2.5-flash', verdict: 'bill higher' }])
  writeFileSync(file, 'a,b\n1,2\n')
  t.match(await run(house, 'reconcile', file), { code: 65, err: /needs the columns/ })
  t.match(await run(house, 'reconcile', `${file}.not`), { code: 66, err: /there is no file/ })
})

t.test('wrong use is told in a sentence, with an exit code for scripts', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'castor-cli-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  const [days, none, day, format, health] = await Promise.all([
    run({ dataDir }, 'report', '--days', '0'),
    run({ dataDir }, 'report'),
    run({ dataDir }, 'reprice', '--from', 'x', '--to', '2026-01-01'),
    run({ dataDir }, 'report', '--format', 'pdf'),
    run({ dataDir }, 'health', '--url', 'http://127.0.0.1:1'),
  ])
  t.match(days, { code: 64, err: 'castor: --days must be a whole number from 1 to 3660\n' })
  t.match(none, { code: 66, err: /^castor: there are no books at / })
  t.equal(day.code, 66, 'without books there is nothing to reprice')
  t.match(format, { code: 1, err: /Allowed choices are json, text, html, csv/ })
  t.match(health, { code: 69, err: /no gateway answers/ })
})
