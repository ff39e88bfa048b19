import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

/** A process of the benchmark: a proxy, the upstream or the load. */
export interface Child {
  /** where it listens; 0 for the load */
  port: number
  pid: number
  /** Asks it something over IPC; rejects after `deadlineMs`, or when the process ends. */
  ask<Answer>(question: string, input?: unknown, deadlineMs?: number): Promise<Answer>
  stop(): Promise<void>
}

export interface ChildOptions {
  /** which core it runs on, where the system can pin processes and has two */
  core?: 0 | 1
  args?: readonly string[]
  env?: Record<string, string>
  nodeOptions?: readonly string[]
}

/** Whether processes are pinned to cores in this run. */
export const pinned: boolean = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0

const startMs = 15_000
const stopMs = 5_000
const open = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of open) child.kill('SIGKILL')
})

/**
 * Starts a script of this folder in a process of its own and waits until it is ready. What it writes to standard output (the gateway's
 * log) goes to /dev/null by way of a real file descriptor, as a log does.
 */
export async function startChild(script: string, options: ChildOptions = {}): Promise<Child> {
  const node = [
    process.execPath,
    '--expose-gc',
    ...(options.nodeOptions ?? []),
    fileURLToPath(new URL(script, import.meta.url)),
    ...(options.args ?? []),
  ]
  const command = pinned && options.core !== undefined ? ['taskset', '-c', String(options.core), ...node] : node
  const child = spawn(command[0] as string, command.slice(1), {
    stdio: ['ignore', process.env.BENCH_OUT === undefined ? 'ignore' : 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production', ...options.env },
  })
  open.add(child)
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      open.delete(child)
      for (const { reject } of waiting.values()) reject(new Error(`${script} ended (${code ?? signal})`))
      resolve()
    })
  })
  child.on('message', ({ id, value, error }: { id: number; value?: unknown; error?: string }) => {
    const asked = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) asked?.resolve(value)
    else asked?.reject(new Error(`${script}: ${error}`))
  })

  let asked = 0
  function ask<Answer>(question: string, input?: unknown, deadlineMs = 60_000): Promise<Answer> {
    const id = question === 'ready' ? 0 : ++asked
    return new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(id)
        reject(new Error(`${script} did not answer "${question}" within ${deadlineMs} ms`))
      }, deadlineMs)
      const settle = (run: () => void) => {
        clearTimeout(timer)
        run()
      }
      waiting.set(id, {
        // The caller names the type: it knows what it has asked for.
        resolve: (value) => settle(() => resolve(value as Answer)),
        reject: (error) => settle(() => reject(error)),
      })
      if (id !== 0) child.send({ id, question, input })
    })
  }

  async function stop(): Promise<void> {
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMs)
    child.kill('SIGTERM')
    await ended
    clearTimeout(timer)
  }

  // The first message of a child, number 0, is its port.
  const port = await ask<number>('ready', undefined, startMs)
  return { port, pid: child.pid as number, ask, stop }
}
