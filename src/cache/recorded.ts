/** Reads recorded traffic: JSON lines of calls, or a HAR file, one call at a time and in flat memory. */
import { isRecord, type Json, records } from './json.ts'

/** One recorded call. */
export type RecordedCall = {
  method: string
  url: string
  /** Flat list of names and values. */
  requestHeaders: string[]
  requestBody: Buffer
  status: number
  responseHeaders: string[]
  responseBody: Buffer
  /** Epoch ms; null when the recording does not say. */
  startedAtMs: number | null
  durationMs: number
}

/** `skipped` is something else than a call: too large, no JSON, or without request or response. */
export type Read = { call: RecordedCall } | { skipped: 'too-large' | 'unreadable' }

/** The largest single call that is looked at. */
const MAX_CALL_BYTES = 64 * 1024 * 1024

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * The calls of a file, told by its content: a HAR is one object whose `log.entries` are calls, everything else is one object after
 * another, by lines or not.
 */
export async function* readRecorded(chunks: AsyncIterable<Buffer>): AsyncGenerator<Read> {
  let depth = 0
  /** Depth at which calls stand: 0 in lines, 3 in a HAR (root, log, entries). */
  let callsAt = 0
  let inString = false
  let escaped = false
  let isFirst = true
  let pieces: Buffer[] = []
  let bytes = 0
  let isCall = false
  /** What stood before the calls of a HAR, to find `entries` in it. */
  let lead = ''
  for await (const chunk of chunks) {
    let from = 0
    for (let at = 0; at < chunk.length; at++) {
      if (inString) {
        if (escaped) {
          escaped = false
          continue
        }
        // Strings are nearly all of it: their ends are looked for natively.
        const quote = chunk.indexOf(QUOTE, at)
        const end = quote < 0 ? chunk.length : quote
        const isEscaped = backslashesBefore(chunk, end, at) % 2 === 1
        if (quote < 0) escaped = isEscaped
        else inString = isEscaped
        at = end
        continue
      }
      const code = chunk[at] as number
      if (code === QUOTE) inString = true
      else if (code === 0x7b || code === 0x5b) {
        if (isFirst && depth === 0) {
          const head = chunk.subarray(at, at + 200).toString()
          if (/^\{\s*"log"\s*:/.test(head)) callsAt = 3
          isFirst = false
        }
        if (callsAt === 3 && depth === 2) lead = chunk.subarray(Math.max(0, at - 40), at).toString()
        const isEntries = callsAt === 0 || /"entries"\s*:\s*$/.test(lead)
        if (depth === callsAt && code === 0x7b && isEntries) {
          isCall = true
          from = at
        }
        depth++
      } else if (code === 0x7d || code === 0x5d) {
        depth--
        if (!isCall || depth !== callsAt) continue
        isCall = false
        bytes += at + 1 - from
        if (bytes <= MAX_CALL_BYTES) {
          pieces.push(chunk.subarray(from, at + 1))
          yield callOf(Buffer.concat(pieces))
        } else yield { skipped: 'too-large' }
        pieces = []
        bytes = 0
      }
    }
    if (!isCall) continue
    bytes += chunk.length - from
    // Past the bound only the end is looked for.
    if (bytes <= MAX_CALL_BYTES) pieces.push(chunk.subarray(from))
    else pieces = []
  }
}

function backslashesBefore(chunk: Buffer, end: number, from: number): number {
  let at = end
  while (at > from && chunk[at - 1] === BACKSLASH) at--
  return end - at
}

function callOf(text: Buffer): Read {
  try {
    const value: unknown = JSON.parse(text.toString())
    if (!isRecord(value) || !isRecord(value.request) || !isRecord(value.response)) return { skipped: 'unreadable' }
    const { request, response } = value
    if (typeof request.method !== 'string' || typeof request.url !== 'string') return { skipped: 'unreadable' }
    const startedAt = value.startedAt ?? value.startedDateTime
    const startedAtMs = typeof startedAt === 'number' ? startedAt : Date.parse(String(startedAt))
    return {
      call: {
        method: request.method,
        url: request.url,
        requestHeaders: headersOf(request.headers),
        requestBody: bodyOf(request.body ?? request.postData),
        status: Number(response.status),
        responseHeaders: headersOf(response.headers),
        responseBody: bodyOf(response.body ?? response.content),
        startedAtMs: Number.isFinite(startedAtMs) ? startedAtMs : null,
        durationMs: Math.max(0, Number(value.durationMs ?? value.time ?? 0)) || 0,
      },
    }
  } catch {
    return { skipped: 'unreadable' }
  }
}

/** HAR's list of {name, value}, a list of pairs, or an object. */
function headersOf(value: unknown): string[] {
  if (Array.isArray(value)) {
    const named = records(value).flatMap(({ name, value: text }) => [String(name), String(text)])
    return named.length > 0 ? named : value.flat().map(String)
  }
  return isRecord(value) ? Object.entries(value).flatMap(([name, text]) => [name, String(text)]) : []
}

/** A text, HAR's {text, encoding}, or JSON that was recorded as such. */
function bodyOf(value: unknown): Buffer {
  if (typeof value === 'string') return Buffer.from(value)
  if (!isRecord(value)) return Buffer.from(value === undefined || value === null ? '' : JSON.stringify(value))
  const { text, encoding } = value as Json
  if (typeof text === 'string' && ('mimeType' in value || 'size' in value || encoding === 'base64')) {
    return Buffer.from(text, encoding === 'base64' ? 'base64' : 'utf8')
  }
  return 'mimeType' in value ? Buffer.alloc(0) : Buffer.from(JSON.stringify(value))
}
