import type { ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'

/** What each hop sets for itself. */
const ownUp = new Set(['host', 'connection', 'content-length', 'transfer-encoding'])
const ownDown = new Set(['connection', 'keep-alive', 'transfer-encoding'])

/** The client's headers for the upstream, as sent. */
export function headersUp(raw: readonly string[]): string[] {
  return keep(raw, ownUp)
}

function keep(raw: readonly string[], own: ReadonlySet<string>): string[] {
  const out: string[] = []
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string
    if (!own.has(name.toLowerCase())) out.push(name, raw[index + 1] as string)
  }
  return out
}

/**
 * The least that an honest proxy does with an answer: undici's handler in its older, cheaper form, the bytes straight into the response,
 * with back-pressure, and cancelled when the client leaves.
 */
export function relayInto(response: ServerResponse): Dispatcher.DispatchHandler {
  let abort: (() => void) | null = null
  let resume = (): void => {}
  response.on('drain', () => resume())
  response.on('close', () => abort?.())
  return {
    onConnect(cancel) {
      abort = cancel
    },
    onHeaders(statusCode, headers, go) {
      resume = go
      const fields = headers.map((field) => field.toString('latin1'))
      response.writeHead(statusCode, keep(fields, ownDown))
      return true
    },
    onData(bytes) {
      return response.write(bytes)
    },
    onComplete() {
      abort = null
      response.end()
    },
    onError() {
      abort = null
      response.destroy()
    },
  }
}
