/** The words of JSON (RFC 8259): where they end, and how each is spelled in one way. */
import { canonicalNumber } from './number.ts'

const SPACE = /[ \t\r\n]*/y
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
/** JSON forbids them raw inside a string (RFC 8259 §7). */
const CONTROL = /[\u0000-\u001f]/

/** The first place at or after `at` that is no JSON white space. */
export function skip(text: string, at: number): number {
  const code = text.charCodeAt(at)
  if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at
  SPACE.lastIndex = at
  SPACE.test(text)
  return SPACE.lastIndex
}

/** Where the string, number, true, false or null at `at` ends. @throws SyntaxError */
export function scalarEnd(text: string, at: number): number {
  if (text[at] === '"') return stringEnd(text, at)
  for (const word of ['true', 'false', 'null']) if (text.startsWith(word, at)) return at + word.length
  NUMBER.lastIndex = at
  if (!NUMBER.test(text)) throw new SyntaxError('not JSON')
  return NUMBER.lastIndex
}

/** Where the string whose quote is at `at` ends. @throws SyntaxError */
export function stringEnd(text: string, at: number): number {
  for (let from = at + 1; ; ) {
    const quote = text.indexOf('"', from)
    if (quote === -1) throw new SyntaxError('not JSON')
    let back = quote
    while (text[back - 1] === '\\') back--
    if ((quote - back) % 2 === 0) return quote + 1
    from = quote + 1
  }
}

/** The one spelling of a scalar: its escapes and its number form settled. @throws SyntaxError */
export function scalar(text: string, at: number, end: number): string {
  const raw = text.slice(at, end)
  const first = raw.charCodeAt(0)
  if (first === 0x22) {
    if (CONTROL.test(raw)) throw new SyntaxError('not JSON')
    if (!raw.includes('\\')) return raw
    try {
      return JSON.stringify(JSON.parse(raw))
    } catch {
      throw new SyntaxError('not JSON')
    }
  }
  return first === 0x2d || (first >= 0x30 && first <= 0x39) ? canonicalNumber(raw) : raw
}
