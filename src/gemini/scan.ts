// Walking over JSON bytes without building anything. Positions are byte offsets; -1 means "not JSON, or it ends too
// early". Nested values are skipped, not validated: brackets are counted, their kinds are not compared.

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** How far to look byte by byte before a native search pays for its call. */
const NEAR = 32

/** The first position at or after `at` that is not JSON white space. */
export function skipSpace(bytes: Buffer, at: number): number {
  let next = at
  for (;;) {
    const byte = bytes[next]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return next
    next += 1
  }
}

/** Past the string whose opening quote is at `at`, or -1. Long texts are crossed by native search, linear in any case. */
export function skipString(bytes: Buffer, at: number): number {
  const end = bytes.length
  let next = at + 1
  while (next < end) {
    const near = Math.min(end, next + NEAR)
    while (next < near) {
      const byte = bytes[next]
      if (byte === QUOTE) return next + 1
      next += byte === BACKSLASH ? 2 : 1
    }
    if (next >= end) return -1
    const quote = bytes.indexOf(QUOTE, next)
    if (quote === -1) return -1
    let slash = quote
    while (slash > next && bytes[slash - 1] === BACKSLASH) slash -= 1
    if ((quote - slash) % 2 === 0) return quote + 1
    next = quote + 1
  }
  return -1
}

/** Past the value that starts at `at` (no white space before it), or -1. Iterative: nesting costs no stack. */
export function skipValue(bytes: Buffer, at: number): number {
  const first = bytes[at]
  if (first === QUOTE) return skipString(bytes, at)
  if (first !== 0x7b && first !== 0x5b) return skipScalar(bytes, at)
  const end = bytes.length
  let depth = 0
  let next = at
  while (next < end) {
    const byte = bytes[next]
    if (byte === QUOTE) {
      next = skipString(bytes, next)
      if (next === -1) return -1
      continue
    }
    next += 1
    if (byte === 0x7b || byte === 0x5b) depth += 1
    else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1
      if (depth === 0) return next
    }
  }
  return -1
}

/** Past a number, true, false or null: letters, digits and signs up to what may follow a value. */
function skipScalar(bytes: Buffer, at: number): number {
  let next = at
  for (;;) {
    const byte = bytes[next]
    const part =
      byte !== undefined &&
      ((byte >= 0x30 && byte <= 0x39) ||
        (byte >= 0x61 && byte <= 0x7a) ||
        byte === 0x2b ||
        byte === 0x2d ||
        byte === 0x2e ||
        byte === 0x45)
    if (!part) return next === at ? -1 : next
    next += 1
  }
}

/** The JSON value in `bytes[start, end)`, or undefined when it is none. */
export function parseSlice(bytes: Buffer, start = 0, end = bytes.length): unknown {
  try {
    return JSON.parse(bytes.toString('utf8', start, end))
  } catch {
    return undefined
  }
}

/** The JSON string in `bytes[start, end)`, or undefined when something else stands there. */
export function stringAt(bytes: Buffer, start: number, end: number): string | undefined {
  if (bytes[start] !== QUOTE) return undefined
  const text = bytes.toString('utf8', start + 1, end - 1)
  if (!text.includes('\\')) return text
  const value = parseSlice(bytes, start, end)
  return typeof value === 'string' ? value : undefined
}

/** The whole number from 0 in `bytes[start, end)`, or -1 when something else stands there. */
export function countAt(bytes: Buffer, start: number, end: number): number {
  let count = 0
  for (let at = start; at < end; at += 1) {
    const digit = (bytes[at] as number) - 0x30
    if (digit < 0 || digit > 9 || count > 1e9) return -1
    count = count * 10 + digit
  }
  return end > start ? count : -1
}
