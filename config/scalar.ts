import type { TSchema } from 'typebox'
import { leaf } from './defaults.ts'
import { InterpolationError, interpolate } from './interpolate.ts'
import { kinds, type Scalar } from './kinds.ts'
import { breach, expected } from './limit.ts'
import { quote } from './problem.ts'
import { nearest } from './suggest.ts'

/** A value in the units of the program, with the variables and files it came from; or why there is none. */
export type Outcome = { value: Scalar; sources: string[] } | { message: string; fix: string; sources: string[] }

/** Interpolates, converts and checks one scalar. No outcome quotes a secret or anything that was interpolated. */
export function convert(schema: TSchema, scalar: Scalar, env: Record<string, string | undefined>): Outcome {
  if (typeof scalar !== 'string') return check(schema, scalar, [])
  try {
    const { text, sources } = interpolate(scalar, env)
    return check(schema, text, sources)
  } catch (cause) {
    if (!(cause instanceof InterpolationError)) throw cause
    return { message: cause.message, fix: cause.fix, sources: [] }
  }
}

/** Converts and checks the text of an environment variable that stands in for a setting the file does not hold. */
export function fromEnvironment(schema: TSchema, name: string, text: string): Outcome {
  return check(schema, text, [name])
}

function check(schema: TSchema, scalar: Scalar, sources: string[]): Outcome {
  const { castor } = leaf(schema)
  const kind = kinds[castor.kind]
  const shown = name(schema, scalar, sources)
  const fix = `write ${guess(schema, scalar, sources)}${expected(schema)}`
  const value = kind.parse(scalar)
  if (value === undefined) {
    if (kind.noun === 'a text') return { message: `${shown} is not a text`, fix: 'put it in quotes', sources }
    const lacksUnit = typeof scalar === 'number' && (castor.kind === 'duration' || castor.kind === 'size')
    return { message: lacksUnit ? `${shown} has no unit` : `${shown} is not ${kind.noun}`, fix, sources }
  }
  const reason = breach(schema, value)
  return reason === undefined ? { value, sources } : { message: `${shown} ${reason}`, fix, sources }
}

/** How a message refers to the value: quoted when it stands in the file and cannot hold a secret. */
function name(schema: TSchema, scalar: Scalar, sources: string[]): string {
  if (sources.length > 0) return `the value of ${sources.join(' and ')}`
  return mayBeQuoted(schema) ? quote(scalar) : 'the value'
}

// A URL may be written with a password, even where none is allowed.
function mayBeQuoted(schema: TSchema): boolean {
  const { castor } = leaf(schema)
  return !castor.secret && castor.kind !== 'httpUrl' && castor.kind !== 'redisUrl'
}

function guess(schema: TSchema, scalar: Scalar, sources: string[]): string {
  const { enum: words }: { enum?: string[] } = schema
  if (words === undefined || sources.length > 0 || typeof scalar !== 'string') return ''
  const near = nearest(scalar, words)
  return near === undefined ? '' : `${near}, `
}
