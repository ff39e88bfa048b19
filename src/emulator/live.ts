/** The Live websocket: frames of binary JSON, one session a connection. */
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { credentialOf } from './credential.ts'
import type { Fault } from './faults.ts'
import type { Handlers } from './handlers.ts'
import { startSession } from './live-session.ts'
import { parseRoute, type Route } from './route.ts'
import type { World } from './world.ts'

export interface Live {
  /** Ends every session at once. */
  close(): void
}

/** Most bytes of one frame. */
const mostFrame = 32 * 2 ** 20

/** Answers upgrades on `server`; paths that are no Live path get 404. */
export function attachLive(server: Server, world: World, handlers: Handlers): Live {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: mostFrame, perMessageDeflate: false })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const route = parseRoute(request.url ?? '/')
    if (route?.dialect !== 'live' || route.operation === 'BidiGenerateMusic') {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      return
    }
    const record = world.recorder.begin(request)
    record.operation = route.operation
    record.key = credentialOf(request, route)
    const faults = world.faults.take(record)
    if (faults.some((fault) => fault.kind === 'reset' || fault.kind === 'close')) {
      world.recorder.end(record, false)
      socket.destroy()
      return
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      record.status = 101
      client.on('close', (code) => world.recorder.end(record, code === 1006))
      client.on('error', () => client.terminate())
      const owner = ownerOf(world, handlers, route, record.key)
      // Google refuses after the upgrade, with a close code
      if (owner === undefined) return client.close(1007, 'API key not valid. Please pass a valid API key.')
      if (refuse(client, faults)) return
      startSession({ client, world, handlers, route, owner, record, faults })
    })
  })
  return {
    close() {
      for (const client of sockets.clients) client.terminate()
      sockets.close()
    },
  }
}

/** The key a session runs under: an accepted key, or the one behind an ephemeral token. */
function ownerOf(world: World, handlers: Handlers, route: Route, credential: string | undefined): string | undefined {
  if (credential === undefined) return undefined
  if (route.operation === 'BidiGenerateContentConstrained' || credential.startsWith('auth_tokens/')) {
    return handlers.ephemeral.spend(credential)
  }
  return world.accepts(credential) ? credential : undefined
}

function refuse(client: WebSocket, faults: Fault[]): boolean {
  const error = faults.find((fault) => fault.kind === 'error')
  if (!error) return false
  const message = typeof error.error === 'string' ? error.error : error.error.message
  client.close(1011, `Internal error encountered: ${message}`.slice(0, 120))
  return true
}
