// DESIGN §8.9: a gateway that is killed at any moment leaves a store that opens again, and never serves half an answer.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { startEmulator } from '../src/emulator/emulator.ts'
import { ask } from './cache-ask.ts'

const script = fileURLToPath(new URL('./cache-kill-gateway.ts', import.meta.url))
const kills = 25
const startMs = 20_000

/** A process that has loaded the gateway and waits for its settings. */
function prepare(compiled: string): ChildProcess {
  return spawn(process.execPath, [script], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // Compiled once, not 25 times.
    env: { ...process.env, NODE_COMPILE_CACHE: compiled },
  })
}

/** Lets it open its stores and listen. @returns its base URL */
function start(child: ChildProcess, config: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the gateway did not start')), startMs)
    child.once('message', (url: string) => {
      clearTimeout(timer)
      resolve(url)
    })
    child.once('exit', (code, signal) => reject(new Error(`the gateway ended (${code ?? signal})`)))
    child.send(config)
  })
}

t.test(`killed ${kills} times under load, it reopens and answers right`, { timeout: 150_000 }, async (t) => {
  const emulator = await startEmulator()
  t.teardown(() => emulator.close())
  const dir = t.testdir()
  const dataDir = join(dir, 'data')
  const compiled = join(dir, 'compiled')
  mkdirSync(dataDir)
  const config = join(dir, 'gateway.yaml')
  writeFileSync(
    config,
    `server: { port: 0 }\ndataDir: ${JSON.stringify(dataDir)}\nupstream: { url: "${emulator.url}" }\ncache: { mode: "on" }\n`,
  )
  const answered = new Map<string, string>()
  let remembered = 0
  let wrong = 0
  let next = prepare(compiled)
  t.teardown(async () => {
    next.kill('SIGKILL')
  })
  for (let round = 0; round <= kills; round++) {
    const gateway = next
    const url = await start(gateway, config)
    // The next one loads its code while this one works.
    if (round < kills) next = prepare(compiled)
    // The key has to be accepted anew; then what earlier lives have answered is looked for.
    await ask(url, `good morning ${round}`)
    const known = [...answered].slice(-30)
    const found = await Promise.all(
      known.map(([text]) => ask(url, text, { headers: { 'cache-control': 'only-if-cached' } })),
    )
    for (const [index, { status, body }] of found.entries()) {
      if (status === 200) remembered++
      if (status !== 504 && (status !== 200 || body !== known[index]?.[1])) wrong++
    }
    if (round === kills) break
    const load = Array.from({ length: 40 }, async (_, index) => {
      const text = `round ${round}, question ${index}`
      const { status, body } = await ask(url, text)
      if (status === 200) answered.set(text, body)
    })
    // In the middle of answers and of writes, each time a little later.
    await Promise.race([Promise.allSettled(load), new Promise((resolve) => setTimeout(resolve, 20 + round * 12))])
    const ended = new Promise((resolve) => gateway.once('exit', resolve))
    gateway.kill('SIGKILL')
    await ended
    await Promise.allSettled(load)
  }
  t.equal(wrong, 0)
  t.ok(remembered > kills, `${remembered} answers outlived a kill`)
})
