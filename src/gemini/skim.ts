import { parseSlice, skipSpace, skipString, skipValue } from './scan.ts'

/**
 * Which parts of a JSON document somebody wants to see: the rest is skipped. `id` names a value for the sink
 * (0: nobody), `keys` are the wanted keys of an object by the length of their names, `each` is what the elements of an
 * array look like.
 */
export type Shape = { id: number; keys: Key[][] | undefined; each: Shape | undefined }

type Key = { name: Buffer; shape: Shape }

/** Longer keys are never asked for. */
const MAX_KEY = 40

/** Told of each wanted value, children before parents, in document order; the bytes are `bytes[start, end)`. */
export type Sink = (id: number, bytes: Buffer, start: number, end: number) => void

/** An object of which these keys matter. `a|b` gives two spellings of one key (protobuf JSON has two). */
export function object(keys: Record<string, Shape>, id = 0): Shape {
  const byLength: Key[][] = Array.from({ length: MAX_KEY }, () => [])
  for (const [spellings, shape] of Object.entries(keys)) {
    for (const spelling of spellings.split('|')) byLength[spelling.length]?.push({ name: Buffer.from(spelling), shape })
  }
  return { id, keys: byLength, each: undefined }
}

/** An array of such elements; one element that stands alone instead of the array is taken as an array of it. */
export function list(each: Shape, id = 0): Shape {
  return { id, keys: undefined, each }
}

/** A value that is handed to the sink as it stands. */
export function value(id: number): Shape {
  return { id, keys: undefined, each: undefined }
}

/**
 * Walks the value at `at` and tells the sink of the wanted parts. Returns the position after the value, or -1 when
 * the bytes are not JSON (parts before the fault have been told). Recursion is as deep as the shape, not the data.
 */
export function skim(bytes: Buffer, at: number, shape: Shape, sink: Sink): number {
  const first = bytes[at]
  let end: number
  if (first === 0x7b && shape.keys !== undefined) end = skimObject(bytes, at, shape.keys, sink)
  else if (first === 0x5b && shape.each !== undefined) end = skimList(bytes, at, shape.each, sink)
  else if (first === 0x7b && shape.each !== undefined) end = skim(bytes, at, shape.each, sink)
  else end = skipValue(bytes, at)
  if (end !== -1 && shape.id !== 0) sink(shape.id, bytes, at, end)
  return end
}

function skimObject(bytes: Buffer, start: number, keys: Key[][], sink: Sink): number {
  let at = skipSpace(bytes, start + 1)
  if (bytes[at] === 0x7d) return at + 1
  for (;;) {
    if (bytes[at] !== 0x22) return -1
    const keyEnd = skipString(bytes, at)
    if (keyEnd === -1) return -1
    const wanted = match(bytes, at, keyEnd, keys)
    at = skipSpace(bytes, keyEnd)
    if (bytes[at] !== 0x3a) return -1
    at = skipSpace(bytes, at + 1)
    at = wanted === undefined ? skipValue(bytes, at) : skim(bytes, at, wanted, sink)
    if (at === -1) return -1
    at = skipSpace(bytes, at)
    if (bytes[at] === 0x7d) return at + 1
    if (bytes[at] !== 0x2c) return -1
    at = skipSpace(bytes, at + 1)
  }
}

function skimList(bytes: Buffer, start: number, each: Shape, sink: Sink): number {
  let at = skipSpace(bytes, start + 1)
  if (bytes[at] === 0x5d) return at + 1
  for (;;) {
    at = skim(bytes, at, each, sink)
    if (at === -1) return -1
    at = skipSpace(bytes, at)
    if (bytes[at] === 0x5d) return at + 1
    if (bytes[at] !== 0x2c) return -1
    at = skipSpace(bytes, at + 1)
  }
}

/** The shape wanted for the key in `bytes[start, end)`, quotes included. */
function match(bytes: Buffer, start: number, end: number, keys: Key[][]): Shape | undefined {
  const sameLength = keys[end - start - 2]
  if (sameLength !== undefined) {
    for (const key of sameLength) if (sameBytes(bytes, start + 1, key.name)) return key.shape
  }
  // An escaped key is legal JSON that no Google server writes; it must still not hide anything.
  for (let at = start + 1; at < end - 1; at += 1) if (bytes[at] === 0x5c) return matchEscaped(bytes, start, end, keys)
  return undefined
}

function sameBytes(bytes: Buffer, at: number, name: Buffer): boolean {
  for (let index = 0; index < name.length; index += 1) if (bytes[at + index] !== name[index]) return false
  return true
}

function matchEscaped(bytes: Buffer, start: number, end: number, keys: Key[][]): Shape | undefined {
  const text = parseSlice(bytes, start, end)
  if (typeof text !== 'string') return undefined
  return keys[text.length]?.find((key) => key.name.toString() === text)?.shape
}
