/**
 * Serves an answer recorded in one framing to a request for another. What cannot be converted without guessing is not
 * converted: the request is then a miss.
 */
import type { Framing } from './entry.ts'
import { isRecord, type Json, parseExact, printLine, printPretty } from './json.ts'
import { mergeNative } from './merge-native.ts'
import { mergeOpenai, splitOpenai } from './merge-openai.ts'

export type Form = {
  dialect: string
  framing: Framing
  /** OpenAI streams: `stream_options.include_usage`. */
  includeUsage?: boolean
}

export type Converted = { body: Buffer; contentType: string; chunks: Uint32Array | undefined }

const JSON_TYPE = 'application/json; charset=UTF-8'

/**
 * @param body a complete, successful answer
 * @returns undefined when the answer has no equal in that form
 */
export function convert(body: Buffer, from: Form, to: Form): Converted | undefined {
  if (from.dialect !== to.dialect) return undefined
  try {
    if (from.dialect === 'native') return convertNative(body, from.framing, to.framing)
    if (from.dialect === 'openai') return convertOpenai(body, from.framing, to)
  } catch (error) {
    // Not the JSON it was taken for.
    if (!(error instanceof SyntaxError)) throw error
  }
  return undefined
}

function convertNative(body: Buffer, from: Framing, to: Framing): Converted | undefined {
  const parts = documents(body, from)
  if (parts === undefined || parts.length === 0) return undefined
  switch (to) {
    case 'unary': {
      const whole = parts.length === 1 ? parts[0] : mergeNative(parts)
      return whole === undefined ? undefined : pieces([`${printPretty(whole)}\n`], JSON_TYPE)
    }
    case 'sse':
      return pieces(
        parts.map((part) => `data: ${printLine(part)}\r\n\r\n`),
        'text/event-stream',
      )
    case 'array':
      return pieces(
        parts.map((part, index) => {
          const isLast = index === parts.length - 1
          return `${index === 0 ? '[' : ',\r\n'}${printPretty(part)}\n${isLast ? ']' : ''}`
        }),
        JSON_TYPE,
      )
  }
}

function convertOpenai(body: Buffer, from: Framing, to: Form): Converted | undefined {
  const parts = documents(body, from)
  if (parts === undefined || to.framing === 'array') return undefined
  const whole = from === 'unary' ? parts[0] : mergeOpenai(parts)
  if (whole === undefined) return undefined
  if (to.framing === 'unary') {
    // A unary answer always states its usage; a stream that was not asked for it cannot give it.
    return whole.usage === undefined ? undefined : pieces([JSON.stringify(whole)], 'application/json')
  }
  const chunks = splitOpenai(whole, to.includeUsage ?? false)
  if (chunks === undefined) return undefined
  return pieces(
    [...chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`), 'data: [DONE]\n\n'],
    'text/event-stream',
  )
}

/** The JSON objects of a body; undefined when it holds anything else. Throws SyntaxError. */
export function documents(body: Buffer, framing: Framing): Json[] | undefined {
  const text = body.toString('utf8')
  const values =
    framing === 'sse' ? events(text) : [parseExact(text)].flatMap((value) => (framing === 'array' ? value : [value]))
  return values?.every(isRecord) ? values : undefined
}

/** Events end at blank lines, and at nothing else: Gemini sends U+2028 raw inside strings. */
function events(text: string): unknown[] | undefined {
  const all: unknown[] = []
  for (const event of text.split(/\r\n\r\n|\n\n/)) {
    if (event === '') continue
    // Recorded streams have one data line each; anything else is none of ours to rewrite.
    if (!event.startsWith('data:')) return undefined
    const data = event.slice('data:'.length).trim()
    if (data !== '[DONE]') all.push(parseExact(data))
  }
  return all
}

function pieces(texts: string[], contentType: string): Converted {
  const buffers = texts.map((text) => Buffer.from(text))
  const marks: number[] = []
  let end = 0
  for (const buffer of buffers) {
    end += buffer.length
    marks.push(end, 0)
  }
  return { body: Buffer.concat(buffers), contentType, chunks: buffers.length > 1 ? Uint32Array.from(marks) : undefined }
}
