/**
 * JSON whose numbers keep their digits: a function's argument may be 12345678901234567890, and 1.0 is not 1 to a client
 * that compares bytes. Plain JSON.parse would change both.
 */

/** TypeScript's library does not know V8's source text access yet (tc39/proposal-json-parse-with-source, stage 4). */
const json = JSON as unknown as {
  rawJSON: (text: string) => unknown
  parse: (text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown) => unknown
}

/** @throws SyntaxError */
export function parseExact(text: string): unknown {
  return json.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? json.rawJSON(source) : value,
  )
}

/** As Google prints unary answers: two spaces, and angle brackets escaped. */
export function printPretty(value: unknown): string {
  return escaped(JSON.stringify(value, undefined, 2))
}

/** As Google prints events: one line, a space after each colon. Strings hold no raw line break, so all of them are layout. */
export function printLine(value: unknown): string {
  return escaped(JSON.stringify(value, undefined, 1).replace(/\n */g, ''))
}

function escaped(text: string): string {
  return text.replace(/[<>]/g, (sign) => (sign === '<' ? '\\u003c' : '\\u003e'))
}

export type Json = Record<string, unknown>

export function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The records of a list; anything else of it is left out. */
export function records(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isRecord) : []
}
