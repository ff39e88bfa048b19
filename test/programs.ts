/** Clients in other languages: programs that drive a gateway and print one line of JSON per check. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { hashKey } from '../src/auth/issued.ts'
import { makeCertificate } from './certificate.ts'
import { gateway } from './helper.ts'

/** The key that the programs are given. */
export const issuedKey = 'castor-issued-key-for-programs'
const upstreamKey = 'AIza-upstream-key-behind-programs'

/** Settings that issue that key. */
const settings = `
auth: { mode: issued, upstreamKey: "\${KEY}" }
clients: [{ name: program, keyHash: "${hashKey(issuedKey)}" }]
`

/**
 * Options of a test that cannot run where something is missing: a visible skip. Where CASTOR_TEST_REQUIRE_ALL is 1 everything has to be
 * there, and it fails instead, but for what CASTOR_TEST_WITHOUT names.
 */
export function unless(missing: string | false, what: string): { skip?: string } {
  if (missing === false) return {}
  const { CASTOR_TEST_REQUIRE_ALL: all, CASTOR_TEST_WITHOUT: without = '' } = process.env
  if (all === '1' && !without.split(',').includes(what)) throw new Error(`CASTOR_TEST_REQUIRE_ALL: ${missing}`)
  return { skip: missing }
}

/** Whether a program runs and exits with 0. */
export function runs(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: 100_000 })
    return true
  } catch {
    return false
  }
}

/**
 * Runs a program against a gateway with issued keys, and reports each of its checks. Models fail by name, so that the program can ask for
 * failures: gemini-2.0-flash with 503, -lite with 429; gemini-3.8-flash cuts its streams, gemini-3.7-flash stalls in them.
 */
export async function drive(t: Test, command: string, args: string[]): Promise<void> {
  const { url, emulator, arrivals } = await gateway(t, settings, {
    env: { KEY: upstreamKey },
    emulator: { keys: [upstreamKey], keepBodies: false, answerTokens: 150 },
  })
  emulator.faults.add({ match: { model: 'gemini-2.0-flash' }, fault: { kind: 'error', error: 'overloaded' } })
  emulator.faults.add({ match: { model: 'gemini-2.0-flash-lite' }, fault: { kind: 'error', error: 'quotaPerMinute' } })
  emulator.faults.add({ match: { model: 'gemini-3.8-flash' }, fault: { kind: 'cut', afterEvents: 2 } })
  emulator.faults.add({ match: { model: 'gemini-3.7-flash' }, fault: { kind: 'stall', afterEvents: 2 } })
  // Live clients of both languages insist on wss.
  const folder = mkdtempSync(join(tmpdir(), 'castor-tls-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const { cert, key } = makeCertificate({ host: '127.0.0.1' })
  writeFileSync(join(folder, 'cert.pem'), cert)
  writeFileSync(join(folder, 'key.pem'), key)
  const live = await gateway(t, `${settings}\nserver: { tls: { cert: ${folder}/cert.pem, key: ${folder}/key.pem } }`, {
    env: { KEY: upstreamKey },
    emulator: { keys: [upstreamKey] },
  })
  // Nothing else of our environment: keys and proxies of the machine are not the program's.
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    BASE_URL: url,
    API_KEY: issuedKey,
    LIVE_URL: live.url,
    SSL_CERT_FILE: join(folder, 'cert.pem'),
  }
  const child = spawn(command, args, {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const deadline = setTimeout(() => child.kill('SIGKILL'), 100_000)
  let printed = ''
  let complaints = ''
  child.stdout.on('data', (bytes) => {
    printed += bytes
  })
  child.stderr.on('data', (bytes) => {
    complaints = (complaints + bytes).slice(-4000)
  })
  const code = await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(deadline)

  t.equal(code, 0, `the program ran to its end ${code === 0 ? '' : complaints}`)
  const lines = printed.split('\n').filter((line) => line.startsWith('{'))
  const results = lines.map((line) => JSON.parse(line) as { check?: string; failure?: string | null; checks?: number })
  const checks = results.filter(({ check }) => check !== undefined)
  for (const { check = '', failure } of checks) t.equal(failure, null, check)
  t.ok(checks.length > 5 && checks.length === results.at(-1)?.checks, 'every check reported')
  const steps = (calls: { url: string }[]) =>
    calls.filter(({ url }) => /\/(upload|download|files|batches)\b/.test(url)).length
  t.ok(steps(emulator.calls) > 5)
  t.equal(steps(emulator.calls), steps(arrivals), 'every step of an upload came through the gateway')
  const seen = emulator.calls.map(({ url, headers }) => `${url} ${headers}`).join('\n')
  t.notMatch(seen, issuedKey, 'Gemini never sees the issued key')
  t.ok(
    emulator.calls.some(({ model, aborted }) => model === 'gemini-3.7-flash' && aborted),
    'a stream that was left is cancelled upstream',
  )
  t.equal(live.emulator.count({ status: 101 }), 1, 'Live went through the gateway over TLS')
}
