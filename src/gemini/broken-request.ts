import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { type ErrorReason, GatewayError, renderError } from './errors.ts'

interface ParserError extends Error {
  code?: string
}

/** Node's parser and server errors that have a reason of their own; every other one is a bad request. */
const reasons: Record<string, [ErrorReason, string]> = {
  HPE_HEADER_OVERFLOW: ['CASTOR_HEADERS_TOO_LARGE', 'The request line and headers are larger than this gateway reads.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['CASTOR_BODY_TIMEOUT', 'The request did not arrive completely in time.'],
}

/**
 * Answers bytes that are not HTTP, on the raw socket, in Gemini's error shape, and closes the connection: what follows on it cannot be told
 * apart from the broken request (RFC 9112 §2.2, request smuggling).
 */
export function refuseBrokenRequest(error: ParserError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  // An earlier request of this connection is still being answered: text of ours would stand inside that answer, or for it.
  const answering = answerInProgress(socket)
  if (answering?.headersSent || answering?.req.complete) {
    socket.destroy()
    return
  }
  const [reason, message] = reasons[error.code ?? ''] ?? ['CASTOR_BAD_REQUEST', 'The request is not valid HTTP/1.1.']
  refuseOnSocket(new GatewayError(reason, message), socket)
}

/** Writes a whole answer with an error of ours on a connection that has no response object, and closes it. */
export function refuseOnSocket(error: GatewayError, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const { statusCode, headers, body } = renderError(error, 'native')
  const lines = [
    `HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode] ?? ''}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
}

/** The response that Node has assigned to a connection; it keeps it under this name, and its own default handler asks the same. */
function answerInProgress(socket: Socket): ServerResponse<IncomingMessage> | null {
  return (socket as Socket & { _httpMessage?: ServerResponse<IncomingMessage> | null })._httpMessage ?? null
}
