import { IsArray, IsObject, IsRecord, IsUnion, type TSchema } from 'typebox'
import { leaf } from './defaults.ts'
import type { Scalar } from './kinds.ts'
import { inUnits } from './limit.ts'
import { type Config, configSchema } from './schema.ts'

const hidden = '(hidden)'

/**
 * The settings as they would stand in gateway.yaml (durations and sizes with their units), for people to look at:
 * secrets and hashes of keys are `(hidden)` where they are set, and an address is without its password.
 */
export function redactConfig(config: Config): Record<string, unknown> {
  // The schema is a section, and a section yields an object.
  return redact(configSchema, config) as Record<string, unknown>
}

function redact(schema: TSchema, value: unknown): unknown {
  if (IsUnion(schema)) return value
  if (IsArray(schema)) return (value as unknown[]).map((item) => redact(schema.items, item))
  if (IsObject(schema)) return each(value, (name) => schema.properties[name])
  if (IsRecord(schema)) return each(value, () => Object.values(schema.patternProperties)[0])
  return redactScalar(schema, value as Scalar)
}

function each(values: unknown, schemaOf: (name: string) => TSchema | undefined): unknown {
  const entries = Object.entries(values as object).map(([name, value]) => [name, redact(schemaOf(name) ?? {}, value)])
  return Object.fromEntries(entries)
}

function redactScalar(schema: TSchema, value: Scalar): Scalar {
  const { castor } = leaf(schema)
  if (castor.secret === true) return value === '' ? '' : hidden
  if (castor.secret === 'password' && typeof value === 'string') return withoutPassword(value)
  return castor.kind === 'duration' || castor.kind === 'size' ? inUnits(schema, value) : value
}

/** Redis takes a password as user info, or (some clients) in the query; neither is shown. */
function withoutPassword(address: string): string {
  if (address === '') return ''
  const url = new URL(address)
  if (url.password !== '') url.password = '***'
  for (const name of url.searchParams.keys()) url.searchParams.set(name, '***')
  return url.href
}
