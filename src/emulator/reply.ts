/** What a handler hands over to be sent: a status, Google's headers, and the body in frames. */

import { enumsAsIntegers } from './enums.ts'
import { type ErrorSpec, errorBody, type GeminiError } from './errors.ts'
import { arrayElement, arrayEnd, pretty } from './framing.ts'
import type { Json } from './json.ts'
import type { CallUsage } from './options.ts'
import type { Route } from './route.ts'

/** One piece of the body: an event of a stream, or the whole of a unary answer. */
export interface Frame {
  bytes: string | Buffer
  /** Tokens made for this frame; pacing waits for them. */
  tokens: number
  /** What this frame reports as used so far. */
  usage?: CallUsage
}

export interface Reply {
  status: number
  /** Raw headers: name, value, name, value. */
  headers: string[]
  frames: Frame[]
  /** Closing bytes that belong to no event (the `]` of an array). */
  end?: string
  /** A raw error in the stream's own framing, for faults that break it off. */
  tail: (error: ErrorSpec, index: number) => string
  /** The headers hold a Content-Length. */
  sized?: boolean
  /** Model answers take time and are compressed; the rest is immediate. */
  paced: boolean
}

const secure = ['X-XSS-Protection', '0', 'X-Frame-Options', 'SAMEORIGIN', 'X-Content-Type-Options', 'nosniff']
const vary = ['Vary', 'Origin', 'Vary', 'Referer', 'Vary', 'X-Origin']
const front = ['Server', 'scaffolding on HTTPServer2', ...secure]
const altSvc = ['Alt-Svc', 'h3=":443"; ma=2592000,h3-29=":443"; ma=2592000']

/** Google's header block in the recorded order; three separate Vary lines. Server-Timing is added when it is sent. */
export function googleHeaders(contentType: string, more: string[] = []): string[] {
  return [...more, 'Content-Type', contentType, ...vary, ...front, ...altSvc]
}

export const jsonType = 'application/json; charset=UTF-8'

/** 200 with pretty-printed JSON. */
export function jsonReply(value: Json, more: Partial<Reply> & { headers?: string[] } = {}): Reply {
  return {
    status: 200,
    frames: [{ bytes: pretty(value), tokens: 0 }],
    tail: rawTail,
    paced: false,
    ...more,
    headers: googleHeaders(jsonType, more.headers),
  }
}

/** The same with enums as integers when the route asks for it. */
export function routed(route: Route, value: Json): Json {
  return route.enumIntegers ? enumsAsIntegers(value) : value
}

/** An error in the form its call expects: SSE callers get plain JSON under text/event-stream, arrays get `[...]`. */
export function errorReply(error: GeminiError, route: Route | undefined, more: string[] = []): Reply {
  const body = errorBody(error)
  const wrapped = route?.framing === 'array' || route?.dialect === 'openai'
  const type = route?.framing === 'sse' ? 'text/event-stream' : jsonType
  const bytes = wrapped ? arrayElement(body, 0) + arrayEnd : pretty(body)
  return {
    status: error.code,
    headers: googleHeaders(type, more),
    frames: [{ bytes, tokens: 0 }],
    tail: rawTail,
    paced: false,
  }
}

/** Google's page for paths it does not know. */
export function htmlNotFound(path: string): Reply {
  const shown = path.replace(/[<>&"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
  const bytes = `<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <meta name=viewport content="initial-scale=1, minimum-scale=1, width=device-width">\n  <title>Error 404 (Not Found)!!1</title>\n  <a href=//www.google.com/><span id=logo aria-label=Google></span></a>\n  <p><b>404.</b> <ins>That’s an error.</ins>\n  <p>The requested URL <code>${shown}</code> was not found on this server.  <ins>That’s all we know.</ins>\n`
  const headers = ['Content-Type', 'text/html; charset=UTF-8', 'Referrer-Policy', 'no-referrer']
  headers.push('Content-Length', String(Buffer.byteLength(bytes)), ...altSvc)
  return { status: 404, headers, frames: [{ bytes, tokens: 0 }], tail: rawTail, sized: true, paced: false }
}

/** Mid-stream failure as Google sends it: pretty JSON, no `data:`. */
export function rawTail(error: ErrorSpec): string {
  return pretty(errorBody(error))
}

/** The same inside an array stream: one more element, then the end. */
export function arrayTail(error: ErrorSpec, index: number): string {
  return arrayElement(errorBody(error), index) + arrayEnd
}
