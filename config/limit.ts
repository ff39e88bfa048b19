import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { leaf } from './defaults.ts'
import { kinds, type Scalar } from './kinds.ts'
import { formatDuration, formatSize } from './units.ts'

interface Bounds {
  minimum?: number
  maximum?: number
}

/** Why `value`, already of the right kind, is against the schema's limits (completes "70000 …"); undefined when it is not. */
export function breach(schema: TSchema, value: unknown): string | undefined {
  const [error] = Value.Errors(schema, value)
  if (error === undefined) return undefined
  switch (error.keyword) {
    case 'minimum':
      return `is less than ${inUnits(schema, Number(error.params.limit))}`
    case 'maximum':
      return `is more than ${inUnits(schema, Number(error.params.limit))}`
    case 'minLength':
      return 'is empty'
    case 'maxLength':
      return `is longer than ${error.params.limit} characters`
    default:
      return `is not ${expected(schema)}`
  }
}

/** What a right value looks like, with the limits: "a duration with its unit, such as …, from 1s to 1h". */
export function expected(schema: TSchema): string {
  const { castor } = leaf(schema)
  const sentence = castor.expects ?? kinds[castor.kind].expects
  const range = bounds(schema)
  return range === undefined ? sentence : `${sentence}, ${range}`
}

/** The limits of a number in the units people write, or undefined when it has none. */
export function bounds(schema: TSchema): string | undefined {
  const { minimum, maximum }: Bounds = schema
  if (minimum === undefined || maximum === undefined) return undefined
  return `from ${inUnits(schema, minimum)} to ${inUnits(schema, maximum)}`
}

/** A value as people write it: 5000 of a duration is `5s`. */
export function inUnits(schema: TSchema, value: Scalar): string {
  const { castor } = leaf(schema)
  if (castor.kind === 'duration' && typeof value === 'number') return formatDuration(value)
  if (castor.kind === 'size' && typeof value === 'number') return formatSize(value)
  return String(value)
}
