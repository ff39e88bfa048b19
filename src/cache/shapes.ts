/**
 * What a request body is made of, as far as its canonical form needs to know: where names are fields of a protocol
 * message (two casings, order without meaning) and where they are the user's own data (never touched).
 */

export type Shape =
  /** A scalar of a message; if an object stands there after all, it is kept as it is. */
  | { kind: 'plain' }
  /** google.protobuf.Struct: the user's names, and a map, so order has no meaning. */
  | { kind: 'struct' }
  /**
   * User data whose order has a meaning: since Gemini 2.5 the order of a schema's properties is the order of the
   * answer's (ai.google.dev/gemini-api/docs/structured-output, property ordering).
   */
  | { kind: 'ordered' }
  /** `map<string, of>` of the protocol, in the order written. */
  | { kind: 'map'; of: () => Shape }
  | Message

export type Message = {
  kind: 'message'
  /** camelCase name -> field. Names that are not here are kept verbatim, and what is under them too. */
  fields: ReadonlyMap<string, Field>
  /** snake_case spelling -> camelCase name; empty when the dialect knows one casing only. */
  spellings: ReadonlyMap<string, string>
  /** Protobuf JSON: null stands for an absent field, and an empty list is no list. */
  proto: boolean
}

export type Field = {
  shape: () => Shape
  repeated: boolean
  /** Gemini takes one object where a list belongs (recorded for `parts`). */
  lenient: boolean
  /** Left out of the canonical form: does not reach the answer. */
  dropped: boolean
  /** A google.protobuf.Value or Struct, in which null and [] are values. */
  valued: boolean
}

export const plain: Shape = { kind: 'plain' }
export const struct: Shape = { kind: 'struct' }
export const ordered: Shape = { kind: 'ordered' }

const scalarField = field(() => plain)

function field(shape: () => Shape, more: Partial<Field> = {}): Field {
  return { shape, repeated: false, lenient: false, dropped: false, valued: false, ...more }
}

/** One message field. */
export const one = (shape: () => Shape): Field => field(shape)
/** A repeated message field. */
export const many = (shape: () => Shape): Field => field(shape, { repeated: true })
/** A repeated field for which a single object is accepted as well. */
export const lenient = (shape: () => Shape): Field => field(shape, { repeated: true, lenient: true })
/** A repeated scalar field. */
export const list: Field = field(() => plain, { repeated: true })
/** User data in which order has no meaning. */
export const data: Field = field(() => struct, { valued: true })
/** User data, kept in its order. */
export const kept: Field = field(() => ordered, { valued: true })
/** Left out. */
export const dropped: Field = field(() => plain, { dropped: true })

/** A protocol buffers message: names in both casings. `scalars` is a space-separated list. */
export function proto(scalars: string, fields: Record<string, Field> = {}): Message {
  const all = table(scalars, fields)
  const spellings = new Map<string, string>()
  for (const name of all.keys()) {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    if (snake !== name) spellings.set(snake, name)
  }
  return { kind: 'message', fields: all, spellings, proto: true }
}

/** An object of a plain JSON protocol: one spelling, null is a value. */
export function record(scalars: string, fields: Record<string, Field> = {}): Message {
  return { kind: 'message', fields: table(scalars, fields), spellings: new Map(), proto: false }
}

function table(scalars: string, fields: Record<string, Field>): Map<string, Field> {
  const all = new Map<string, Field>(Object.entries(fields))
  for (const name of scalars.split(' ')) if (name !== '') all.set(name, scalarField)
  return all
}
