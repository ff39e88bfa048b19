// Edge: the outermost layer. Every failure of the house becomes Gemini's own error shape here, and requests that are not sound HTTP
// are refused before anybody reads them. First of all, because even the refusal of a later plugin leaves through it.
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { errorShape, GatewayError, renderError } from '../src/gemini/errors.ts'
import type { Target } from '../src/gemini/target.ts'
import { hasUnsafeSegments } from '../src/gemini/unsafe-path.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** what the request line asks for; null for the gateway's own routes */
    target: Target | null
    /** `performance.now()` at the arrival of the headers */
    arrivedAt: number
  }
}

export default fp(
  async function edge(app) {
    const { settings } = app.castor
    app.decorateRequest('target', null)
    app.decorateRequest('arrivedAt', 0)
    app.setErrorHandler(sendError)
    // What follows an unsound request on its connection may be a part of it. Node has perhaps read it already; nobody hears it.
    const condemned = new WeakSet<Socket>()
    app.addHook('onRequest', function refuseUnsound(request, reply, done) {
      request.arrivedAt = performance.now()
      const { socket } = request.raw
      if (condemned.has(socket)) return void reply.hijack()
      const error = unsound(request, settings.current.limits.urlLength)
      if (error !== undefined) {
        condemned.add(socket)
        reply.header('connection', 'close')
      }
      done(error)
    })
  },
  { name: 'castor-edge' },
)

/** RFC 9112 §3.2: exactly one Host. Node's parser lets a second one pass, and another proxy might believe that one. */
function unsound(request: FastifyRequest, longestUrl: number): GatewayError | undefined {
  const { rawHeaders, httpVersion, httpVersionMajor } = request.raw
  // Node's parser also takes HTTP/0.9 and what calls itself HTTP/2.0.
  if (httpVersionMajor !== 1)
    return new GatewayError('CASTOR_BAD_REQUEST', 'The request is neither HTTP/1.1 nor HTTP/1.0.')
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  if (hosts > 1)
    return new GatewayError('CASTOR_BAD_REQUEST', 'The request has more than one Host header; exactly one is allowed.')
  if (hosts === 0 && httpVersion === '1.1')
    return new GatewayError('CASTOR_BAD_REQUEST', 'The request has no Host header; HTTP/1.1 asks for one.')
  const { url } = request
  if (url.length > longestUrl) {
    return new GatewayError(
      'CASTOR_URL_TOO_LONG',
      `The URL is longer than the ${longestUrl} characters that this gateway reads.`,
    )
  }
  if (url === '*' || hasUnsafeSegments(url.split('?', 1)[0] as string)) {
    return new GatewayError(
      'CASTOR_BAD_REQUEST',
      'The path has a segment "." or "..", or a character that no path may have.',
    )
  }
  return undefined
}

/** Sends an error in the shape that the client of this route parses. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const known = asGatewayError(error)
  if (known.reason === 'CASTOR_INTERNAL') request.log.error({ err: error, id: request.id }, 'a fault of the gateway')
  const rendered = renderError(known, errorShape(request.target ?? targetOf(request)))
  if (request.exchange) {
    request.exchange.failure = known.reason
    request.exchange.statusCode = rendered.statusCode
  }
  reply.code(rendered.statusCode).headers(rendered.headers).header('x-castor-request-id', request.id)
  // An unread rest of a body would be taken for the next request: this connection ends here.
  if (!request.raw.complete) reply.header('connection', 'close')
  reply.send(rendered.body)
}

function targetOf(request: FastifyRequest): Target | null {
  try {
    return request.server.castor.readTarget(request.method, request.raw.url ?? '/')
  } catch {
    return null
  }
}

function asGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error
  const { code, statusCode, message } = error as Partial<FastifyError>
  if (code === 'FST_ERR_BAD_URL' || error instanceof URIError) {
    return new GatewayError('CASTOR_BAD_REQUEST', 'The path is not valid percent-encoding.', { cause: error })
  }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new GatewayError('CASTOR_BODY_TOO_LARGE', message ?? '', { cause: error })
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new GatewayError('CASTOR_BAD_REQUEST', message ?? 'The request is not valid.', { cause: error })
  }
  return new GatewayError('CASTOR_INTERNAL', 'The gateway failed to handle this request.', { cause: error })
}
