import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import { createFrameReader } from './frames.ts'

export interface TunnelOptions {
  /** scheme, host and port of the upstream (http or https) */
  origin: string
  path: string
  /** flat list, credentials included, without host and handshake headers */
  headers: string[]
  /** the client's request: its handshake headers go up as they are, so that the upstream's answer to them fits */
  request: IncomingMessage
  /** the client's socket and what it has already sent after its handshake */
  socket: Duplex
  head: Buffer
  connectTimeoutMs: number
  idleTimeoutMs: number
  /** certificate authorities for the upstream, undefined for the built-in ones */
  ca: string[] | undefined
}

export interface TunnelEvents {
  /** the upstream has agreed; returns headers to add to its answer, flat list */
  opened(): string[]
  /** the client's first message, which sets up the session */
  began(setup: Buffer): void
  /** a message of the upstream's, after it went to the client */
  said(message: Buffer): void
  /** the upstream answered something else: pass it on as plain HTTP */
  refused(answer: IncomingMessage): void
  /** there is no upstream; nothing was sent to the client */
  failed(error: Error): void
  /** the client's socket is closed; `opened` says whether a conversation had begun */
  closed(opened: boolean): void
}

const handshake = /^(?:sec-websocket-|upgrade$|connection$)/i
/** Extensions are agreed hop by hop (RFC 6455 §9.1), and the one that exists compresses: then nobody could tell what a session used. */
const extensions = /^sec-websocket-extensions$/i
/** Most bytes of one message that are read; longer ones pass all the same. */
const longestRead = 1_048_576

/**
 * Joins a client's websocket with Gemini's as two raw byte streams. Frames of both kinds, pings, close codes and fragments pass
 * as they are, with the back-pressure of the sockets; messages are read from a copy.
 * @returns a function that cuts the tunnel
 */
export function openTunnel(options: TunnelOptions, events: TunnelEvents): () => void {
  const { socket } = options
  const url = new URL(options.origin)
  const call = (url.protocol === 'https:' ? https : http).request({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? undefined : Number(url.port),
    path: options.path,
    method: 'GET',
    headers: ['Host', url.host, ...options.headers, ...handshakeHeaders(options.request)],
    agent: false,
    timeout: options.connectTimeoutMs,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  })
  let upstream: Duplex | null = null
  let over = false

  function finish(): void {
    if (over) return
    over = true
    events.closed(upstream !== null)
  }

  function cut(): void {
    call.destroy()
    upstream?.destroy()
    socket.destroy()
  }

  /** Reads along: all that the upstream says, and of the client's only its first message. */
  function listen(client: Duplex, connection: Duplex, first: Buffer, early: Buffer): void {
    const answers = createFrameReader(longestRead, events.said)
    const asked = createFrameReader(longestRead, (setup) => {
      client.off('data', asked.push)
      if (hasBegun) return
      hasBegun = true
      events.began(setup)
    })
    let hasBegun = false
    if (early.length > 0) answers.push(early)
    if (first.length > 0) asked.push(first)
    connection.on('data', answers.push)
    if (!hasBegun) client.on('data', asked.push)
  }

  call.once('timeout', () =>
    call.destroy(Object.assign(new Error('no answer to the handshake'), { code: 'ETIMEDOUT' })),
  )
  call.once('error', (error) => {
    if (upstream === null && !over) events.failed(error)
  })
  call.once('response', (answer) => events.refused(answer))
  call.once('upgrade', (answer, connection: Duplex, early: Buffer) => {
    upstream = connection
    socket.write(renderHandshake(answer, events.opened()))
    if (early.length > 0) socket.write(early)
    if (options.head.length > 0) connection.write(options.head)
    for (const side of [socket, connection]) {
      // A side that fails or falls silent takes the other with it: half a conversation is of no use.
      side.on('error', cut)
      side.once('close', cut)
      setIdleTimeout(side, options.idleTimeoutMs, cut)
    }
    socket.pipe(connection)
    connection.pipe(socket)
    // After the pipes, so that each byte goes on before it is read.
    listen(socket, connection, options.head, early)
  })
  socket.once('close', () => {
    call.destroy()
    finish()
  })
  call.end()
  return cut
}

/** Sockets of node:net and node:tls know a timeout of their own; Duplex does not promise it. */
function setIdleTimeout(side: Duplex, ms: number, then: () => void): void {
  ;(side as Duplex & { setTimeout?(ms: number, then: () => void): void }).setTimeout?.(ms, then)
}

function handshakeHeaders({ rawHeaders }: IncomingMessage): string[] {
  const out: string[] = []
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (handshake.test(name) && !extensions.test(name)) out.push(name, rawHeaders[index + 1] as string)
  }
  return out
}

/** Headers of Google's answer to a handshake that the client needs, and ours. */
function renderHandshake(answer: IncomingMessage, added: string[]): string {
  const lines = [`HTTP/1.1 101 ${answer.statusMessage || 'Switching Protocols'}`]
  const headers = [...handshakeHeaders(answer), ...added]
  for (let index = 0; index < headers.length; index += 2) lines.push(`${headers[index]}: ${headers[index + 1]}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}
