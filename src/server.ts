import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Config } from '../config/schema.ts'
import { refuseOnSocket } from './gemini/broken-request.ts'
import { GatewayError } from './gemini/errors.ts'
import { type House, trafficOf } from './house.ts'

/** How often Node looks for connections whose headers or bodies are late; its own 30 s would make short limits meaningless. */
const lateCheckMs = (limitMs: number): number => Math.min(5_000, Math.max(100, limitMs / 4))

/** Options for node:http or node:https, in the form in which Fastify takes them. */
export function serverOptions({ server, limits }: Config, house: House): object {
  const options = {
    headersTimeout: server.headersTimeout,
    connectionsCheckingInterval: lateCheckMs(server.headersTimeout),
    // Request line and headers together; the URL may take its limit, the headers as much again.
    maxHeaderSize: limits.urlLength + 16_384,
    // The edge plugin refuses a request without Host itself, in Gemini's error shape; Node's refusal has no body.
    requireHostHeader: false,
    // Only websockets of the Live API are upgraded; `Upgrade: h2c`, which curl --http2 sends, stays a plain request.
    shouldUpgradeCallback: (request: IncomingMessage) => trafficOf(house, request) === 'live',
  }
  if (server.tls.cert === '') return { http: options }
  return { https: { ...options, cert: readFileSync(server.tls.cert), key: readFileSync(server.tls.key) } }
}

/** Requests that node:http hands past the request event; without a listener it answers them in its own way. */
export function routeOddRequests(app: FastifyInstance): void {
  // A client that asks first (curl, with large bodies) is told to go on when its body is wanted, and spared it when it is refused.
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    request.once('resume', () => {
      if (!response.headersSent) response.writeContinue()
    })
    app.routing(request, response)
  })
  // RFC 9110 §10.1.1 lets a server ignore expectations that it does not know.
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
    app.routing(request, response),
  )
  app.server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => socket.destroy())
    refuseOnSocket(new GatewayError('CASTOR_METHOD_NOT_ALLOWED', 'This is no proxy for other hosts.'), socket)
  })
}
