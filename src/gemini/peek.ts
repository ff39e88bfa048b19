import { parseSlice, skipSpace, skipString, skipValue, stringAt } from './scan.ts'

/**
 * The string under a top-level key of a JSON object, read from its raw bytes. Undefined when the body is no JSON
 * object, the key is absent, or its value is no string. Of a repeated key the last one counts, as in JSON.parse.
 * Linear in the body, nothing is built; nested values are skipped without being validated.
 */
export function peekString(body: Buffer, key: string): string | undefined {
  const found = find(body, key)
  if (found === undefined) return undefined
  return stringAt(body, found.start, found.end)
}

/** The boolean under a top-level key of a JSON object; undefined as for `peekString`. */
export function peekBoolean(body: Buffer, key: string): boolean | undefined {
  const found = find(body, key)
  if (found === undefined) return undefined
  const text = body.toString('latin1', found.start, found.end)
  return text === 'true' ? true : text === 'false' ? false : undefined
}

/** Does the nesting of objects and arrays in this JSON exceed `limit`? Linear, iterative, and content with any bytes. */
export function jsonDepth(body: Buffer, limit: number): boolean {
  let depth = 0
  for (let at = 0; at < body.length; at += 1) {
    const byte = body[at]
    if (byte === 0x22) {
      at = skipString(body, at) - 1
      // An unclosed string: nothing after it can nest.
      if (at < 0) return false
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1
      if (depth > limit) return true
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1
  }
  return false
}

/** Where the value of a top-level key stands. Reads to the end: a body cut short has no keys we would act on. */
function find(body: Buffer, key: string): { start: number; end: number } | undefined {
  let at = skipSpace(body, 0)
  if (body[at] !== 0x7b) return undefined
  let found: { start: number; end: number } | undefined
  at = skipSpace(body, at + 1)
  if (body[at] === 0x7d) return undefined
  for (;;) {
    if (body[at] !== 0x22) return undefined
    const keyEnd = skipString(body, at)
    if (keyEnd === -1) return undefined
    const matches = isKey(body, at, keyEnd, key)
    at = skipSpace(body, keyEnd)
    if (body[at] !== 0x3a) return undefined
    const start = skipSpace(body, at + 1)
    const end = skipValue(body, start)
    if (end === -1) return undefined
    if (matches) found = { start, end }
    at = skipSpace(body, end)
    if (body[at] === 0x7d) return skipSpace(body, at + 1) === body.length ? found : undefined
    if (body[at] !== 0x2c) return undefined
    at = skipSpace(body, at + 1)
  }
}

/** Is the key string in `body[start, end)`, quotes included, this key? Escapes in it are honoured (`"mod\u0065l"`). */
function isKey(body: Buffer, start: number, end: number, key: string): boolean {
  const text = body.toString('utf8', start, end)
  return text.includes('\\') ? parseSlice(body, start, end) === key : text.slice(1, -1) === key
}
