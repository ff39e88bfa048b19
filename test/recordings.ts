/** Recorded Gemini traffic as wire messages: what a client sent, and what Google answered. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'

export type Header = [name: string, value: string]

export interface RecordedExchange {
  /** path below recordings/, and `gzip` when the answer is the compressed one off the wire */
  name: string
  method: string
  url: URL
  requestHeaders: Header[]
  requestBody: Buffer
  status: number
  responseHeaders: Header[]
  /** as it travels: compressed when responseHeaders say so */
  responseBody: Buffer
  /** whether it came in HTTP chunks */
  chunked: boolean
  streaming: boolean
}

interface RecordedFile {
  method: string
  url: string
  requestHeaders: Record<string, string | string[]>
  requestBody: string | null
  status: number
  responseHeaders: Record<string, string | string[]>
  responseBody: string | null
  responseWireBase64?: string
  streaming: boolean
}

const root = new URL('../../shared/data/recordings/', import.meta.url)

/** Why recordings cannot be replayed here, or false. */
export const noRecordings: string | false = existsSync(new URL('raw/', root))
  ? false
  : 'no recordings beside the checkout'

/** Every recording of raw/ in order of its name; one whose gzip bytes were kept comes twice, plain and compressed. */
export function rawRecordings(): RecordedExchange[] {
  return readdirSync(new URL('raw/', root), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.json'))
    .sort()
    .flatMap((file) => exchangesOf(`raw/${file}`))
}

function exchangesOf(file: string): RecordedExchange[] {
  const recorded: RecordedFile = JSON.parse(readFileSync(new URL(file, root), 'utf8'))
  const about = {
    method: recorded.method,
    url: new URL(recorded.url),
    requestHeaders: listOf(recorded.requestHeaders, ['host', 'connection', 'content-length']).map(withoutGap),
    requestBody: bytesOf(recorded.requestBody),
    status: recorded.status,
    streaming: recorded.streaming,
    chunked: recorded.responseHeaders['content-length'] === undefined,
  }
  const framing = ['content-length', 'transfer-encoding', 'connection']
  const found: RecordedExchange[] = []
  if (recorded.responseBody !== null)
    found.push({
      ...about,
      name: file,
      responseHeaders: listOf(recorded.responseHeaders, [...framing, 'content-encoding']),
      responseBody: Buffer.from(recorded.responseBody),
    })
  if (recorded.responseWireBase64 !== undefined)
    found.push({
      ...about,
      name: `${file} gzip`,
      responseHeaders: listOf(recorded.responseHeaders, framing),
      responseBody: Buffer.from(recorded.responseWireBase64, 'base64'),
    })
  return found
}

function listOf(headers: Record<string, string | string[]>, without: string[]): Header[] {
  return Object.entries(headers)
    .filter(([name]) => !without.includes(name))
    .flatMap(([name, value]) => [value].flat().map((one): Header => [name, one]))
}

/** Secrets were blacked out whole; a token keeps its scheme. */
function withoutGap([name, value]: Header): Header {
  return [name, name === 'authorization' && value === 'REDACTED' ? 'Bearer ya29.recorded' : value]
}

function bytesOf(body: string | null): Buffer {
  if (body === null) return Buffer.alloc(0)
  return body.startsWith('base64:') ? Buffer.from(body.slice('base64:'.length), 'base64') : Buffer.from(body)
}
