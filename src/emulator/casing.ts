/** Protobuf JSON takes snake_case and camelCase; the emulator reads camelCase. */
import type { Json, JsonObject } from './json.ts'

/** Fields whose values are the caller's own data: names inside are not ours to touch. */
const data = new Set([
  'args',
  'response',
  'parametersJsonSchema',
  'responseJsonSchema',
  'labels',
  'metadata',
  'partMetadata',
  'data',
  'text',
])
/** Fields whose names are the caller's and whose values are messages again. */
const maps = new Set(['properties', '$defs', 'defs'])

/** The body with names in camelCase; the very same object when its text has no snake_case name. */
export function camelCase(body: JsonObject, source: string): JsonObject {
  return /[a-z]_[a-z]+"\s*:/i.test(source) ? convert(body, false) : body
}

function convert(object: JsonObject, namesAreData: boolean): JsonObject {
  const copy: JsonObject = {}
  for (const [name, value] of Object.entries(object)) {
    const known = namesAreData ? name : name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    const kept = !namesAreData && data.has(known)
    // defineProperty, because a caller may send "__proto__"
    Object.defineProperty(copy, known, {
      value: kept || value === undefined ? value : convertValue(value, !namesAreData && maps.has(known)),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return copy
}

function convertValue(value: Json, namesAreData: boolean): Json {
  if (Array.isArray(value)) return value.map((item) => convertValue(item, false))
  return typeof value === 'object' && value !== null ? convert(value, namesAreData) : value
}
