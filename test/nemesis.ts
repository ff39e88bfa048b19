/** Peers that misbehave: an upstream whose every connection is scripted by hand, and a client that sends any bytes and keeps all it gets. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, type TlsOptions } from 'node:tls'
import type { Test } from 'tap'
import { type Closing, type Gateway, until } from './helper.ts'
import type { RawResponse } from './raw-http.ts'

export interface Nemesis {
  /** origin without a trailing slash */
  url: string
  /** everything that arrived, connection by connection */
  received: string[]
  /** connections open now */
  readonly open: number
}

/**
 * An upstream on a free port, closed with the test.
 * @param script called when a request begins to arrive; it writes, waits and destroys as it likes
 * @param tls serves https with these credentials
 */
export async function nemesis(t: Closing, script: (socket: Socket) => void, tls?: TlsOptions): Promise<Nemesis> {
  const sockets = new Set<Socket>()
  const received: string[] = []
  const onConnection = (socket: Socket): void => {
    const index = received.push('') - 1
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    socket.on('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1')
      received[index] += text
      if (/^[A-Z]+ \/\S* HTTP\/1\.1\r\n/.test(text)) script(socket)
    })
  }
  const server = tls === undefined ? createServer(onConnection) : createTlsServer(tls, onConnection)
  server.on('tlsClientError', (_error: Error, socket: Socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  })
  // Listening on TCP: never a path or null.
  const { port } = server.address() as AddressInfo
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    received,
    get open() {
      return sockets.size
    },
  }
}

/** An origin on which nobody listens. */
export async function deadOrigin(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}`
}

/** What a connection came to. */
export interface Talk {
  /** all bytes received, as latin1 */
  text: string
  /** how it ended: the peer closed in order, it was cut, or it was still open when the talk was given up */
  end: 'closed' | 'reset' | 'open'
  /** milliseconds from the last byte received to the end */
  silenceMs: number
}

/**
 * Sends bytes on a connection of their own, one write per piece, and keeps everything that comes back.
 * @param quietMs gives up when nothing has come for so long after the last write; the connection is then closed from this side
 */
export async function talk(url: string, pieces: string | readonly string[], quietMs = 250): Promise<Talk> {
  const { protocol, hostname, port } = new URL(url)
  const options = { host: hostname, port: Number(port), rejectUnauthorized: false }
  const socket = protocol === 'https:' ? connectTls(options) : connect(options)
  socket.setNoDelay(true)
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let last = performance.now()
    let end: Talk['end'] = 'closed'
    const quiet = setTimeout(() => {
      end = 'open'
      socket.destroy()
    }, quietMs)
    socket.on('data', (bytes: Buffer) => {
      last = performance.now()
      chunks.push(bytes)
      quiet.refresh()
    })
    socket.on('error', () => {
      end = 'reset'
    })
    socket.on('close', () => {
      clearTimeout(quiet)
      resolve({ text: Buffer.concat(chunks).toString('latin1'), end, silenceMs: performance.now() - last })
    })
    void (async () => {
      for (const piece of [pieces].flat()) {
        await new Promise((written) => socket.write(Buffer.from(piece, 'latin1'), () => setImmediate(written)))
        quiet.refresh()
      }
    })()
  })
}

/** Request bytes with a Host and, unless the headers bring another, a key. */
export function request(line: string, headers: readonly string[] = [], body = ''): string {
  const key = headers.some((header) => /^(?:x-goog-api-key|authorization)\b/i.test(header)) ? [] : ['x-goog-api-key: k']
  return [`${line} HTTP/1.1`, 'Host: gateway', ...key, ...headers, '', body].join('\r\n')
}

/** Request bytes of a model call with its length. */
export function post(path: string, body: string, headers: readonly string[] = []): string {
  return request(`POST ${path}`, [...headers, `Content-Length: ${Buffer.byteLength(body)}`], body)
}

export const generate = '/v1beta/models/gemini-2.5-flash:generateContent'
export const stream = '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse'
export const array = '/v1beta/models/gemini-2.5-flash:streamGenerateContent'

/** An error of the gateway, as a client of the native surface reads it. */
export interface SeenError {
  status: number
  code: number
  name: string
  reason: string
  message: string
}

/** Reads an error in Gemini's shape; throws when it is not exactly that. */
export function readError({ status, headers, body }: Pick<RawResponse, 'status' | 'headers' | 'body'>): SeenError {
  const type = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1]
  if (type !== 'application/json; charset=UTF-8') throw new Error(`an error under ${type}: ${body}`)
  const { error } = JSON.parse(body.toString()) as {
    error: {
      code: number
      message: string
      status: string
      details: { '@type': string; reason: string; domain: string }[]
    }
  }
  const info = error.details.find((detail) => detail['@type'] === 'type.googleapis.com/google.rpc.ErrorInfo')
  if (info?.domain !== 'castor') throw new Error(`not an error of Castor: ${body}`)
  return { status, code: error.code, name: error.status, reason: info.reason, message: error.message }
}

/** Head of an upstream's 200 with these header lines. */
export const head = (...headers: string[]) => ['HTTP/1.1 200 OK', ...headers, '', ''].join('\r\n')

/** Head of an upstream's stream. */
export const sse = head('content-type: text/event-stream', 'transfer-encoding: chunked')

/** An event of a stream, as Gemini cuts them. */
export const event = (text: string) => `data: {"candidates":[{"content":{"parts":[{"text":"${text}"}]}}]}\r\n\r\n`

/** A unary call, a streamed call and a list. */
export const call = post(generate, '{"contents":[]}')
export const streamed = post(stream, '{"contents":[]}')
export const listing = request('GET /v1beta/models')

/** Google's raw error at the end of a stream. */
export const tail = (status = 'UNAVAILABLE') =>
  new RegExp(`\\{\n  "error": \\{\n    "code": 503,.*"status": "${status}"`, 's')

/** The state every fault must leave behind. */
export async function leavesNothing(t: Test, gateway: Gateway, peer?: { readonly open: number }): Promise<void> {
  const { load, metrics } = gateway.app.castor
  await until(() => load.inFlight === 0 && load.heldBodyBytes === 0, 1500, 'the end of every request')
  const figures = await metrics.registry.metrics()
  t.match(figures, /^castor_in_flight_requests 0$/m)
  t.match(figures, /^castor_held_body_bytes 0$/m)
  await gateway.close()
  await until(() => (peer?.open ?? 0) === 0, 1000, 'the end of every connection upstream')
}
