import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { ObserverOptions } from '../src/gemini/observe.ts'

/** One recorded interaction, as far as reading the answer needs it. */
export type Recording = {
  file: string
  kind: string
  status: number
  body: Buffer
  /** The gzip bytes as they came off the wire, of some recordings. */
  wire: Buffer | undefined
  options: ObserverOptions
}

const root = new URL('../../shared/data/recordings/', import.meta.url)

/** Why tests on recordings cannot run here, or false. */
export const skipRecordings: string | false = existsSync(root) ? false : 'no recordings beside this checkout'

/** Every recording with a text body under these folders. */
export function loadRecordings(...folders: string[]): Recording[] {
  if (skipRecordings) return []
  return folders.flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.json'))
      .sort()
      .map((file) => load(`${folder}/${file}`)),
  )
}

function load(file: string): Recording {
  const recorded = JSON.parse(readFileSync(new URL(file, root), 'utf8'))
  const type: string = recorded.responseHeaders?.['content-type'] ?? ''
  const sse = type.startsWith('text/event-stream') || (recorded.streaming && recorded.url.includes('alt=sse'))
  return {
    file,
    kind: recorded.kind,
    status: recorded.status,
    body: Buffer.from(recorded.responseBody ?? ''),
    wire: recorded.responseWireBase64 ? Buffer.from(recorded.responseWireBase64, 'base64') : undefined,
    options: {
      dialect: recorded.kind === 'interactions' ? 'interactions' : 'native',
      framing: sse ? 'sse' : recorded.streaming ? 'array' : 'unary',
    },
  }
}
