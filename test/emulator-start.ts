import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { Emulator, EmulatorOptions } from '../src/emulator/emulator.ts'
import { startEmulator } from '../src/emulator/emulator.ts'

/** The part of a tap test that this file needs. */
interface Teardown {
  teardown(close: () => unknown): void
}

/** An emulator on a free port that ends with its test. */
export async function start(t: Teardown, options: EmulatorOptions = {}): Promise<Emulator> {
  const emulator = await startEmulator(options)
  t.teardown(() => emulator.close())
  return emulator
}

/** POST of JSON (or GET without a body) with the key "test-key"; null headers are left out. */
export async function ask(
  emulator: Emulator,
  path: string,
  body?: unknown,
  options: { method?: string; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<{ status: number; headers: Headers; text: string; json: <Shape>() => Shape }> {
  const response = await fetch(emulator.url + path, {
    method: options.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: options.headers ?? { 'x-goog-api-key': 'test-key', 'content-type': 'application/json' },
    body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    redirect: 'manual',
    signal: options.signal,
  })
  const text = await response.text()
  // what a test expects is checked by the test
  return { status: response.status, headers: response.headers, text, json: <Shape>() => JSON.parse(text) as Shape }
}

/** One user turn. */
export function says(text: string, more: object = {}): object {
  return { contents: [{ role: 'user', parts: [{ text }] }], ...more }
}

/** What the tests read of an answer. */
export interface Reply {
  candidates: {
    content: { role: string; parts?: ReplyPart[] }
    finishReason?: string
    continuationToken?: string
    groundingMetadata?: { webSearchQueries: string[] }
  }[]
  promptFeedback?: { blockReason: string }
  usageMetadata: Record<string, number> & { promptTokensDetails?: { modality: string; tokenCount: number }[] }
  modelVersion: string
  responseId: string
}

export interface ReplyPart {
  text?: string
  thought?: boolean
  thoughtSignature?: string
  functionCall?: { id?: string; name: string; args: Record<string, unknown> }
}

export interface ErrorReply {
  error: { code: number; message: string; status: string; details?: Record<string, unknown>[] }
}

/** Events of an SSE body, parsed. */
export function events(text: string): Reply[] {
  return text
    .split('\r\n\r\n')
    .filter((event) => event !== '')
    .map((event) => JSON.parse(event.replace(/^data: /, '')))
}

/** One recorded interaction. */
export interface Recording {
  file: string
  url: string
  kind: string
  status: number
  streaming: boolean
  requestBody: string
  responseBody: string | null
  responseHeaders: Record<string, string | string[]>
}

const root = new URL('../../shared/data/recordings/', import.meta.url)

/** False, or why tests over recordings are skipped. */
export const noRecordings = existsSync(root) ? false : 'the recordings (../shared/data/recordings) are not here'

/** All recordings of a folder ("raw", "reserialized"). */
export function recordings(folder: string): Recording[] {
  const found: Recording[] = []
  for (const source of readdirSync(new URL(`${folder}/`, root))) {
    for (const file of readdirSync(new URL(`${folder}/${source}/`, root))) {
      const text = readFileSync(new URL(`${folder}/${source}/${file}`, root), 'utf8')
      found.push({ ...JSON.parse(text), file: `${source}/${file}` })
    }
  }
  return found
}
