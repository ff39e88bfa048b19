// Live: websockets to Gemini's Live API. A route like any other, so that auth, metering and limits stand before it; what then flows is a
// tunnel of bytes, read from a copy for what the session used.
import { readFileSync } from 'node:fs'
import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { rootCertificates } from 'node:tls'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Answer } from '../src/exchange/answer.ts'
import { tapChunk, tapEnd, tapHead } from '../src/exchange/exchange.ts'
import { refuseBrokenRequest } from '../src/gemini/broken-request.ts'
import { upstreamHeaders } from '../src/gemini/headers.ts'
import { modelName } from '../src/gemini/model-name.ts'
import { trafficOf } from '../src/house.ts'
import { modelOfSetup } from '../src/live/setup.ts'
import { openTunnel } from '../src/live/tunnel.ts'
import { upstreamFailure } from '../src/upstream/failure.ts'

export default fp(
  async function live(app) {
    const { settings, liveSessions } = app.castor
    const upgrades = new WeakMap<object, { socket: Duplex; head: Buffer }>()

    app.route({ method: 'GET', url: '/*', constraints: { traffic: 'live' }, handler: tunnel })

    // Node hands upgrades past the request event; they are sent through the router like every request, on a response of their own.
    app.server.on('upgrade', (request, socket, head) => {
      if (trafficOf(app.castor, request) !== 'live') {
        // A host application may have websockets of its own; one that nobody owns must not hang.
        if (app.server.listenerCount('upgrade') === 1)
          refuseBrokenRequest(new Error('no such websocket'), socket as Socket)
        return
      }
      const response = new ServerResponse(request)
      response.assignSocket(socket as Socket)
      socket.on('error', () => socket.destroy())
      response.once('finish', () => socket.end())
      upgrades.set(request, { socket, head })
      app.routing(request, response)
    })

    function tunnel(request: FastifyRequest, reply: FastifyReply): void {
      const { exchange } = request
      const upgrade = upgrades.get(request.raw)
      if (upgrade === undefined) throw new Error('a Live request without its socket')
      const { origin, prefix } = app.upstream.originOf(exchange.target)
      const { upstream } = settings.current
      const answer = new Answer(exchange, reply.raw, app.tapDropped)
      const sentAt = performance.now()
      let isBooked = false
      // The first message names the model; what never comes so far is booked without one.
      const book = (): void => {
        if (!isBooked) app.castor.books?.begin(exchange)
        isBooked = true
      }
      exchange.attempts += 1
      reply.hijack()
      const end = openTunnel(
        {
          origin,
          path: prefix + exchange.target.path + exchange.target.search,
          headers: upstreamHeaders(request.raw.rawHeaders, exchange.outgoing),
          request: request.raw,
          ...upgrade,
          connectTimeoutMs: upstream.connectTimeout,
          idleTimeoutMs: upstream.idleTimeout,
          ca: upstream.caFile === '' ? undefined : [...rootCertificates, readFileSync(upstream.caFile, 'utf8')],
        },
        {
          opened() {
            reply.raw.detachSocket(upgrade.socket as Socket)
            exchange.timings.upstream = performance.now() - sentAt
            exchange.statusCode = 101
            exchange.source = 'upstream'
            tapHead(exchange, { statusCode: 101, headers: [], source: 'upstream' }, app.tapDropped)
            return ['x-castor-request-id', exchange.id]
          },
          began(setup) {
            exchange.model = modelName(modelOfSetup(setup))
            book()
          },
          said: (message) => tapChunk(exchange, message, app.tapDropped),
          refused(answerOfGoogle) {
            book()
            const { statusCode = 502, statusMessage = '', rawHeaders } = answerOfGoogle
            answer.head(
              statusCode,
              statusMessage,
              rawHeaders,
              ['x-castor-request-id', exchange.id, 'connection', 'close'],
              'upstream',
            )
            answerOfGoogle.on('data', (bytes: Buffer) => answer.write(bytes))
            answerOfGoogle.once('end', () => answer.end())
            answerOfGoogle.once('error', (error) => answer.breakOff(upstreamFailure(error)))
          },
          failed(error) {
            book()
            const failure = upstreamFailure(error)
            app.log.warn(
              { id: exchange.id, err: error, reason: failure.reason },
              'the Live connection to Gemini failed',
            )
            if (answer.begun) answer.breakOff(failure)
            else answer.refuse(failure)
          },
          closed(opened) {
            liveSessions.delete(end)
            book()
            tapEnd(exchange, opened ? 'complete' : 'client_abort', opened, app.tapDropped)
          },
        },
      )
      liveSessions.add(end)
    }
  },
  { name: 'castor-live', dependencies: ['castor-upstream'] },
)
