import {
  type TArray,
  type TBoolean,
  type TEnum,
  type TInteger,
  type TNumber,
  type TObject,
  type TProperties,
  type TRecord,
  type TSchema,
  type TString,
  Type,
} from 'typebox'
import type { KindName, Scalar } from './kinds.ts'
import { parseDuration, parseSize } from './units.ts'

/** What every setting says of itself. It stands in the schema under `castor`, beside the JSON Schema keywords. */
export interface About {
  kind: KindName
  /** The environment variable that is used when the file says nothing; an empty one counts as unset. */
  env?: string
  /** true: never quoted in an error and hidden by redactConfig; 'password': only a URL's password is. */
  secret?: boolean | 'password'
  /** Takes effect only when the process starts again. */
  restart?: boolean
  /** Has to be given: there is no default (entries of lists only). */
  needed?: boolean
  /** What to write, where the kind's own sentence is too general. */
  expects?: string
  example?: string
}

type Extra = Omit<About, 'kind'>

// 2^31 - 1 ms, where a Node timer overflows and fires at once, is 24.8 days.
const longestTimer = '24d'

/** A text. */
export function text(
  fallback: string,
  description: string,
  extra: Extra & { pattern?: string; max?: number } = {},
): TString {
  const { pattern, max = 4096, ...about } = extra
  return Type.String({ ...base('text', fallback, description, about), maxLength: max, ...(pattern ? { pattern } : {}) })
}

/** A key, token or password; empty unless the file, or the environment variable `env`, says otherwise. */
export function secret(env: string, description: string, extra: Extra = {}): TString {
  return text('', description, { ...(env ? { env } : {}), ...extra, secret: true })
}

/** A directory, relative to the working directory of the process. */
export function path(fallback: string, description: string, extra: Extra = {}): TString {
  return Type.String(base('path', fallback, description, extra))
}

/** A file that has to be there when it is named. */
export function file(fallback: string, description: string, extra: Extra = {}): TString {
  return Type.String(base('file', fallback, description, extra))
}

/** A base URL, an address or a path prefix, held without trailing slash. */
export function address(
  kind: 'httpUrl' | 'redisUrl' | 'prefix' | 'address',
  fallback: string,
  description: string,
  extra: Extra & { filled?: boolean } = {},
): TString {
  const { filled, ...about } = extra
  return Type.String({ ...base(kind, fallback, description, about), ...(filled ? { minLength: 1 } : {}) })
}

/** true or false. */
export function flag(fallback: boolean, description: string, extra: Extra = {}): TBoolean {
  return Type.Boolean(base('flag', fallback, description, extra))
}

/** A whole number between `min` and `max`. */
export function integer(fallback: number, min: number, max: number, description: string, extra: Extra = {}): TInteger {
  return Type.Integer({ ...base('integer', fallback, description, extra), minimum: min, maximum: max })
}

/** A number between `min` and `max`, with or without a fraction. */
export function decimal(fallback: number, min: number, max: number, description: string, extra: Extra = {}): TNumber {
  return Type.Number({ ...base('decimal', fallback, description, extra), minimum: min, maximum: max })
}

/** A duration; milliseconds in the Config. */
export function duration(
  fallback: string,
  description: string,
  extra: Extra & { min?: string; max?: string } = {},
): TNumber {
  const { min = '0', max = longestTimer, ...about } = extra
  const limits = { minimum: parseDuration(min), maximum: parseDuration(max) }
  return Type.Number({ ...base('duration', fallback, description, about), ...limits })
}

/** A size; bytes in the Config. */
export function size(fallback: string, min: string, max: string, description: string, extra: Extra = {}): TNumber {
  const limits = { minimum: parseSize(min), maximum: parseSize(max) }
  return Type.Number({ ...base('size', fallback, description, extra), ...limits })
}

/** One of a few words. */
export function choice<const Words extends [string, ...string[]]>(
  words: readonly [...Words],
  fallback: Words[number],
  description: string,
  extra: Extra = {},
): TEnum<Words> {
  // TypeBox takes the list as readonly and returns it as a mutable tuple; the words are the same.
  return Type.Enum<string[]>(
    [...words],
    base('text', fallback, description, { expects: `one of ${words.join(', ')}`, ...extra }),
  ) as TEnum<Words>
}

/** Settings that belong together; unknown names are refused. */
export function section<Properties extends TProperties>(
  description: string,
  properties: Properties,
): TObject<Properties> {
  return Type.Object(properties, { description, additionalProperties: false })
}

/** A list, empty by default. A single value may stand for a list of one where the entries are scalars. */
export function list<Item extends TSchema>(item: Item, max: number, description: string, min = 0): TArray<Item> {
  return Type.Array(item, { description, maxItems: max, minItems: min })
}

/** Names of the operator's choosing, each with a value; empty by default. */
export function table<Value extends TSchema>(value: Value, max: number, description: string): TRecord<'^.*$', Value> {
  return Type.Record(Type.String(), value, { description, maxProperties: max })
}

function base(kind: KindName, fallback: Scalar, description: string, extra: Extra) {
  const castor: About = { kind, ...extra }
  return { description, default: fallback, castor }
}
