import { IsArray, IsObject, IsRecord, type TSchema } from 'typebox'
import { kinds, type Scalar } from './kinds.ts'
import type { About } from './setting.ts'

/** A setting that is written as one scalar: what it says of itself, and its default as written. */
export interface Leaf {
  default: Scalar
  description: string
  castor: About
}

/** The schema as a leaf. Every schema but sections, lists and tables carries these keywords (setting.ts). */
export function leaf(schema: TSchema): Leaf {
  return schema as TSchema & Leaf
}

/** The value of `schema` when neither the file nor the environment says anything, in the units of the program. */
export function defaults(schema: TSchema): unknown {
  if (IsObject(schema)) {
    return Object.fromEntries(Object.entries(schema.properties).map(([name, child]) => [name, defaults(child)]))
  }
  if (IsArray(schema)) return []
  if (IsRecord(schema)) return {}
  const { default: written, castor } = leaf(schema)
  return typeof written === 'string' ? kinds[castor.kind].parse(written) : written
}
