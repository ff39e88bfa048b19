/** The `castor` command as a real process. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Closing, until } from './helper.ts'

export const checkout = fileURLToPath(new URL('..', import.meta.url))

export interface Finished {
  code: number | null
  signal: string | null
}

export interface Process {
  child: ChildProcess
  /** everything written so far */
  readonly stdout: string
  readonly stderr: string
  ended: Promise<Finished>
  signal(name: NodeJS.Signals): void
}

/** Nothing of this machine's own settings takes part. */
const clean = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(?:CASTOR_|GEMINI_|GOOGLE_|REDIS_|NODE_OPTIONS|TAP)/.test(name)),
)

/** Starts a command in the checkout; killed with the test if it still runs then. */
export function start(t: Closing, command: string, args: string[], env: Record<string, string> = {}): Process {
  // A group of its own: npm starts a shell, which starts node, and a signal is for all of them.
  const child = spawn(command, args, {
    cwd: checkout,
    env: { ...clean, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const signal = (name: NodeJS.Signals): void => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, name)
  }
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (text: Buffer) => {
    output.stdout += text
  })
  child.stderr.on('data', (text: Buffer) => {
    output.stderr += text
  })
  const ended = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  t.teardown(async () => {
    signal('SIGKILL')
    await ended
  })
  return {
    child,
    get stdout() {
      return output.stdout
    },
    get stderr() {
      return output.stderr
    },
    ended,
    signal,
  }
}

/** Runs `castor` with these arguments to its end. */
export async function castor(t: Closing, args: string[], env: Record<string, string> = {}) {
  const running = start(t, process.execPath, ['src/cli.ts', ...args], env)
  const { code } = await running.ended
  return { code, stdout: running.stdout, stderr: running.stderr }
}

export interface Served extends Process {
  url: string
  /** the settings file; writing it anew and SIGHUP reload it */
  file: string
  /** lines of the log so far, parsed */
  log(): Record<string, unknown>[]
}

/**
 * Starts `castor serve` on a free port in front of an upstream and waits for its greeting.
 * @param settings YAML laid behind what every such process needs; its `server` section is the argument's own
 */
export async function serve(
  t: Closing,
  upstreamUrl: string,
  { server = {}, more = '', nodeArgs = [] }: { server?: object; more?: string; nodeArgs?: string[] } = {},
): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), 'castor-serve-'))
  t.teardown(async () => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'gateway.yaml')
  writeFileSync(file, settingsText(folder, upstreamUrl, server, more))
  const running = start(t, process.execPath, [...nodeArgs, 'src/cli.ts', 'serve', '--config', file])
  await until(
    () => /Castor answers at \S+/.test(running.stderr) || running.child.exitCode !== null,
    20_000,
    'the greeting',
  )
  const url = /Castor answers at (\S+)/.exec(running.stderr)?.[1] ?? `no greeting: ${running.stderr}`
  return Object.assign(running, {
    url,
    file,
    log: () =>
      running.stdout
        .split('\n')
        .filter((line) => line.startsWith('{') && line.endsWith('}'))
        .map((line) => JSON.parse(line)),
  })
}

/** The text of a settings file for a process of its own. */
export function settingsText(folder: string, upstreamUrl: string, server: object, more: string): string {
  return [
    '# settings of a test',
    `server: ${JSON.stringify({ port: 0, ...server })}`,
    `dataDir: ${JSON.stringify(join(folder, 'data'))}`,
    `upstream: ${JSON.stringify({ url: upstreamUrl })}`,
    more,
    '',
  ].join('\n')
}
