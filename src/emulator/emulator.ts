/** A faithful Gemini on a port: for tests, the demo and benchmarks. */
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { createControl } from './control.ts'
import { checkCredential, credentialOf } from './credential.ts'
import { GeminiError, invalid } from './errors.ts'
import type { Fault } from './faults.ts'
import { createHandlers } from './handlers.ts'
import { attachLive } from './live.ts'
import { namedError } from './named-errors.ts'
import type { Emulator, EmulatorOptions } from './options.ts'
import { errorReply, htmlNotFound, type Reply } from './reply.ts'
import { parseRoute } from './route.ts'
import { send } from './send.ts'
import { type Call, createWorld, type Handler } from './world.ts'

/** Most bytes of a request body held in memory; uploads are streamed and know no limit. */
const mostBody = 256 * 2 ** 20

/** Starts on `options.host:port`. Rejects when the port is taken. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const world = createWorld(options)
  const handlers = createHandlers(world)
  const pace = {
    firstByteMs: options.firstByteMs ?? 0,
    tokensPerSecond: options.tokensPerSecond ?? 0,
    gzip: options.gzip ?? false,
  }
  const reset = () => {
    world.recorder.reset()
    world.faults.clear()
    world.prefixes.reset()
    handlers.reset()
  }
  const control = createControl(world, reset)

  const listener: RequestListener = (request, response) => {
    const route = parseRoute(request.url ?? '/')
    if (route?.dialect === 'control') return void control(request, response, route)
    const record = world.recorder.begin(request)
    // a connection that a fault ends is not one the client left
    let ours = false
    const onBreak = () => {
      ours = true
    }
    response.on('close', () => world.recorder.end(record, !response.writableFinished && !ours))
    const give = (reply: Reply, faults: Fault[]) =>
      send({ request, response, route, reply, faults, pace, record, onBreak })
    const handler = route && handlers.find(request.method ?? 'GET', route)
    if (!route || !handler) {
      request.resume()
      return void give(htmlNotFound((request.url ?? '/').split('?')[0]!), [])
    }
    record.operation = route.operation
    record.model = route.model
    record.key = credentialOf(request, route)
    const call: Call = { record, route, request, response, key: record.key ?? '', body: empty, faults: [] }
    void answer(call, handler).then((reply) => give(reply, call.faults))
  }

  async function answer(call: Call, handler: Handler): Promise<Reply> {
    try {
      if (!handlers.streams(call.route)) {
        call.body = await readBody(call.request)
        world.recorder.keep(call.record, call.body)
      }
      if (!handlers.open(call)) checkCredential(call.request, call.route, call.record.key, world.accepts)
      handlers.name(call)
      call.faults = world.faults.take(call.record)
      const error = call.faults.find((fault) => fault.kind === 'error')
      if (error) {
        const more = error.retryAfter === undefined ? [] : ['Retry-After', String(error.retryAfter)]
        return errorReply(namedError(error.error, call.record.model ?? ''), call.route, more)
      }
      return await handler(call)
    } catch (error) {
      if (error instanceof GeminiError) return errorReply(error, call.route)
      if (error instanceof RangeError) {
        return errorReply(
          invalid('Invalid JSON payload received. Message too deep. Max recursion depth reached.'),
          call.route,
        )
      }
      // a fault of the emulator itself: visible, and shaped like Google's
      const message = `The emulator failed: ${error instanceof Error ? error.stack : String(error)}`
      return errorReply(new GeminiError({ code: 500, status: 'INTERNAL', message }), call.route)
    }
  }

  const server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener)
  server.keepAliveTimeout = 240_000
  server.headersTimeout = 250_000
  server.requestTimeout = 0
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('clientError', (_error, socket) => socket.destroy())
  const live = attachLive(server, world, handlers)

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve)
  })
  const { port, address, family } = server.address() as AddressInfo // listening on TCP: never a path or null
  const host = options.host ?? (family === 'IPv6' ? `[${address}]` : address)
  world.origin = `${options.tls ? 'https' : 'http'}://${host}:${port}`

  return {
    url: world.origin,
    port,
    calls: world.recorder.calls,
    count: world.recorder.count,
    usageTotals: world.recorder.usageTotals,
    faults: world.faults,
    reset,
    openSockets: () => sockets.size,
    async close() {
      live.close()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

const empty = Buffer.alloc(0)

/** The whole body. Throws 400 past the bound, which Google too would not take. */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (request.method === 'GET' || request.method === 'HEAD') return empty
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > mostBody) {
        request.destroy()
        return reject(invalid('Request payload size exceeds the limit.'))
      }
      chunks.push(chunk)
    })
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
    request.on('error', reject)
    request.on('close', () => reject(invalid('The request ended early.')))
  })
}

export type { Fault, FaultMatch, FaultRule, FaultScript } from './faults.ts'
export type { Emulator, EmulatorOptions, RecordedCall } from './options.ts'
export { validateContents } from './validate.ts'
