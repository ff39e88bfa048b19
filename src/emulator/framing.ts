/** Google's JSON on the wire: pretty for unary answers and arrays, one line for SSE. */
import type { Json } from './json.ts'

/** How the pieces of a streamed answer are set apart. */
export type Framing = 'unary' | 'sse' | 'array'

/** Two spaces, `<` and `>` escaped, final newline: a unary answer. */
export function pretty(value: Json): string {
  return `${prettyBare(value)}\n`
}

function prettyBare(value: Json): string {
  return escapeAngles(JSON.stringify(value, null, 2))
}

/** One line with a space after each name's colon and none after commas, as protobuf's printer does for SSE. */
export function oneLine(value: Json): string {
  return escapeAngles(print(value))
}

/** An SSE event: CRLF, no event name. */
export function sseEvent(value: Json): string {
  return `data: ${oneLine(value)}\r\n\r\n`
}

/** Element `index` of a JSON-array stream with what stands before it; `arrayEnd` closes the array. */
export function arrayElement(value: Json, index: number): string {
  return `${index === 0 ? '[' : ',\r\n'}${prettyBare(value)}\n`
}

/** Closes a JSON-array stream; Google sends no newline after it. */
export const arrayEnd = ']'

/** `<` and `>` stand only inside strings of JSON, so a plain replace is right. */
function escapeAngles(text: string): string {
  if (!text.includes('<') && !text.includes('>')) return text
  return text.replaceAll('<', '\\u003c').replaceAll('>', '\\u003e')
}

function print(value: Json): string {
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null'
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) {
    let text = ''
    for (const item of value) text += text === '' ? print(item) : `,${print(item)}`
    return `[${text}]`
  }
  let text = ''
  for (const name in value) {
    const item = value[name]
    if (item === undefined) continue
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}: ${print(item)}`
  }
  return `{${text}}`
}
