/** What the cache's tests ask of a gateway. */
import type { Emulator } from '../src/emulator/emulator.ts'
import type { Closing } from './helper.ts'

export interface Asked {
  status: number
  body: string
  headers: Headers
  /** the Cache-Status header */
  cache: string | null
}

export interface AskOptions {
  /** default: one */
  key?: string
  path?: string
  headers?: Record<string, string>
  body?: string
}

export const unary = '/v1beta/models/gemini-2.5-flash:generateContent'
export const sse = '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse'
export const array = '/v1beta/models/gemini-2.5-flash:streamGenerateContent'

export const question = (text: string): object => ({ contents: [{ role: 'user', parts: [{ text }] }] })

/** One model call with a key of one's own. An answer that breaks off rejects. */
export async function ask(url: string, text: string, options: AskOptions = {}): Promise<Asked> {
  const response = await fetch(url + (options.path ?? unary), {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': options.key ?? 'one', ...options.headers },
    body: options.body ?? JSON.stringify(question(text)),
  })
  const { status, headers } = response
  return { status, body: await response.text(), headers, cache: headers.get('cache-status') }
}

/** Moves the cache's clock, which is the wall clock, for the rest of the test. */
export function moveClock(t: Closing, ms: number): void {
  const real = Date.now
  Date.now = () => real() + ms
  t.teardown(async () => {
    Date.now = real
  })
}

/** A figure of the gateway's /metrics; 0 when it is not there. */
export async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const line = text.split('\n').find((line) => line.startsWith(`${name} `))
  return line === undefined ? 0 : Number(line.slice(name.length + 1))
}

/** How often each prompt reached the emulator. */
export function askedTimes({ calls }: Emulator): Map<string, number> {
  const times = new Map<string, number>()
  for (const { body } of calls) {
    const text = /"text":"([^"]*)"/.exec(body.toString())?.[1] ?? ''
    times.set(text, (times.get(text) ?? 0) + 1)
  }
  return times
}

/**
 * Asks again until the answer is yes.
 * @throws when it is not within five seconds
 */
export async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('it did not come to hold within five seconds')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
