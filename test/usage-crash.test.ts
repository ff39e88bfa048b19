/** DESIGN §8.6 and §8.9: a killed gateway has lost nothing that it had answered. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type Emulator, startEmulator } from '../src/emulator/emulator.ts'
import { createCalendar } from '../src/schedule/calendar.ts'
import { openJournal } from '../src/usage/journal.ts'
import type { Ledger } from '../src/usage/ledger.ts'
import { openLedgerFile } from '../src/usage/ledger-schema.ts'
import { createSqliteLedger } from '../src/usage/ledger-sqlite.ts'

const kills = 25
const callers = 8

interface Process {
  url: string
  child: ChildProcess
}

async function startProcess(upstream: string, dataDir: string): Promise<Process> {
  const script = fileURLToPath(new URL('./usage-crash-gateway.ts', import.meta.url))
  const child = spawn(process.execPath, [script, upstream, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (line: Buffer) => resolve(line.toString().trim()))
    child.once('exit', () => reject(new Error('the gateway ended before it listened')))
  })
  return { url, child }
}

function kill({ child }: Process): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}

/** Calls until the gateway is gone; gives how many answers came whole. */
async function load(url: string, isStream: boolean): Promise<number> {
  const path = isStream ? 'streamGenerateContent?alt=sse' : 'generateContent'
  let whole = 0
  for (;;) {
    try {
      const response = await fetch(`${url}/v1beta/models/gemini-2.5-flash:${path}`, {
        method: 'POST',
        headers: { 'x-goog-api-key': 'key-a' },
        body: JSON.stringify({ contents: [{ parts: [{ text: 'Who was Castor?' }] }] }),
      })
      await response.arrayBuffer()
      whole += 1
    } catch {
      return whole
    }
  }
}

function openBooks(dataDir: string): Ledger {
  return createSqliteLedger({
    open: () =>
      openLedgerFile(join(dataDir, 'usage.db'), (_moved, cause) => {
        throw cause
      }),
    journal: openJournal(join(dataDir, 'usage.journal'), 1 << 26),
    calendar: createCalendar('UTC'),
    retention: { eventDays: 10, hourDays: 10, dayDays: 10 },
  })
}

/** Starts, loads and kills gateways over one data directory; gives how many answers came whole. */
async function killedAgainAndAgain(emulator: Emulator, dataDir: string, times: number): Promise<number> {
  let whole = 0
  for (let round = 0; round < times; round += 1) {
    const gateway = await startProcess(emulator.url, dataDir)
    const loads = Array.from({ length: callers }, (_, caller) => load(gateway.url, caller % 2 === 0))
    // A different moment each time, by calls and not by the clock: some while the books are being committed.
    const from = emulator.count()
    while (emulator.count() < from + 20 + ((round * 37) % 140)) await sleep(1)
    await kill(gateway)
    for (const answered of await Promise.all(loads)) whole += answered
  }
  return whole
}

t.test('killed 25 times under load, the books hold all but the calls in flight', { timeout: 110_000 }, async (t) => {
  const emulator = await startEmulator({ answerTokens: 24 })
  // Two gateways at a time, each with books of its own, so that one starts while the other answers.
  const dataDirs = [13, 12].map((times) => ({ times, dataDir: mkdtempSync(join(tmpdir(), 'castor-kill-')) }))
  t.teardown(async () => {
    await emulator.close()
    for (const { dataDir } of dataDirs) rmSync(dataDir, { recursive: true, force: true })
  })
  const answered = await Promise.all(
    dataDirs.map(({ dataDir, times }) => killedAgainAndAgain(emulator, dataDir, times)),
  )
  const whole = answered.reduce((total, each) => total + each, 0)
  const sum = { attempts: 0, prompt: 0, cost: 0, estimated: 0 }
  for (const { dataDir } of dataDirs) {
    const ledger = openBooks(dataDir)
    const rows = await ledger.read({ fromMs: Date.now() - 86_400_000, toMs: Date.now() + 1, by: 'dimensions' })
    for (const { measures } of rows) {
      sum.attempts += measures.attempts
      sum.prompt += measures.prompt
      sum.cost += measures.cost
      sum.estimated += measures.estimatedAttempts
    }
    await ledger.close()
  }
  const asked = emulator.count()
  const { promptTokens } = emulator.usageTotals()
  // The client's bytes go first: of each gateway one call can be between its last byte and its booking.
  t.ok(sum.attempts >= whole - kills, `${whole} answers came whole, ${sum.attempts} are booked`)
  t.ok(sum.attempts <= asked, `nothing twice: ${asked} were asked`)
  t.ok(asked - sum.attempts <= kills * callers, 'only calls in flight are missing')
  t.ok(sum.prompt <= promptTokens, 'no token more than Gemini reported')
  t.ok(
    promptTokens - sum.prompt <= kills * callers * Math.ceil(promptTokens / asked),
    'nor tokens of more calls missing',
  )
  t.equal(sum.estimated, 0)
  t.ok(sum.cost > 0)
})
