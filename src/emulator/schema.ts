/** A value that satisfies a schema: Gemini's OpenAPI subset (types in capitals) or JSON Schema. */
import { asList, asNumber, asObject, asObjects, asString, type Json, type JsonObject } from './json.ts'
import { between, pick, type Random } from './random.ts'

/** Words and numbers of the prompt, which make values look meant. */
export interface Material {
  words: string[]
  numbers: number[]
}

/** Draws a value; nesting past 12 levels ends in null or the emptiest thing allowed. */
export function valueFor(schema: JsonObject, random: Random, material: Material, root = schema, depth = 0): Json {
  const reference = asString(schema.$ref)
  if (reference) return valueFor(resolve(reference, root), random, material, root, depth + 1)
  if (schema.const !== undefined) return schema.const
  const options = asList(schema.enum)
  if (options.length > 0) return pick(random, options)
  const branches = [...asObjects(schema.anyOf), ...asObjects(schema.oneOf)]
  if (branches.length > 0) {
    const { anyOf: _, oneOf: __, ...rest } = schema
    // deep down the plainest branch, so that recursive schemas end
    const branch = depth > 6 ? plainest(branches) : pick(random, branches)
    return valueFor({ ...rest, ...branch }, random, material, root, depth + 1)
  }
  const parts = asObjects(schema.allOf)
  if (parts.length > 0) {
    const { allOf: _, ...rest } = schema
    return valueFor(merge([rest, ...parts.map((part) => dereference(part, root))]), random, material, root, depth + 1)
  }
  return byType(schema, random, material, root, depth)
}

function byType(schema: JsonObject, random: Random, material: Material, root: JsonObject, depth: number): Json {
  switch (typeOf(schema)) {
    case 'object':
      return object(schema, random, material, root, depth)
    case 'array':
      return array(schema, random, material, root, depth)
    case 'integer':
    case 'number':
      return number(schema, random, material)
    case 'boolean':
      return random() < 0.5
    case 'null':
      return null
    default:
      return text(schema, random, material)
  }
}

function typeOf(schema: JsonObject): string {
  const named = asList(schema.type).map((type) => String(type).toLowerCase())
  const type = named.find((name) => name !== 'null') ?? named[0]
  if (type) return type
  if (schema.properties) return 'object'
  return schema.items ? 'array' : 'string'
}

function object(schema: JsonObject, random: Random, material: Material, root: JsonObject, depth: number): JsonObject {
  const properties = asObject(schema.properties) ?? {}
  const required = new Set(asList(schema.required).map(String))
  const ordered = asList(schema.propertyOrdering).map(String)
  const names = [
    ...ordered.filter((name) => properties[name]),
    ...Object.keys(properties).filter((name) => !ordered.includes(name)),
  ]
  const value: JsonObject = {}
  for (const name of names) {
    // optional ones end recursion
    if (depth > 4 && !required.has(name)) continue
    const property = asObject(properties[name])
    const drawn = property ? valueFor(property, random, material, root, depth + 1) : null
    Object.defineProperty(value, name, { value: drawn, enumerable: true, configurable: true, writable: true })
  }
  return value
}

function array(schema: JsonObject, random: Random, material: Material, root: JsonObject, depth: number): Json[] {
  const least = asNumber(schema.minItems) ?? (depth > 4 ? 0 : 1)
  const most = Math.max(least, asNumber(schema.maxItems) ?? Math.max(least, depth > 4 ? 0 : 3))
  const fixed = asObjects(schema.prefixItems).map((item) => valueFor(item, random, material, root, depth + 1))
  const items = asObject(schema.items)
  const values: Json[] = fixed
  const wanted = between(random, least, Math.min(most, least + 3))
  for (let tries = 0; values.length < wanted && tries < wanted * 8; tries++) {
    const value = items ? valueFor(items, random, material, root, depth + 1) : pick(random, material.words)
    if (schema.uniqueItems === true && values.some((other) => JSON.stringify(other) === JSON.stringify(value))) continue
    values.push(value)
  }
  return values
}

function number(schema: JsonObject, random: Random, material: Material): number {
  const whole = typeOf(schema) === 'integer'
  const above = asNumber(schema.exclusiveMinimum)
  const below = asNumber(schema.exclusiveMaximum)
  const step = asNumber(schema.multipleOf)
  const unit = step ?? (whole ? 1 : 0.5)
  const least = Math.max(
    asNumber(schema.minimum) ?? Number.NEGATIVE_INFINITY,
    above === undefined ? Number.NEGATIVE_INFINITY : above + unit / 4,
  )
  const most = Math.min(
    asNumber(schema.maximum) ?? Number.POSITIVE_INFINITY,
    below === undefined ? Number.POSITIVE_INFINITY : below - unit / 4,
  )
  const fits = (value: number) =>
    value >= least && value <= most && (!whole || Number.isInteger(value)) && (step === undefined || value % step === 0)
  const said = material.numbers.shift()
  if (said !== undefined && fits(said)) return said
  const low = Number.isFinite(least) ? least : Math.min(0, Number.isFinite(most) ? most - 100 : 0)
  const high = Number.isFinite(most) ? most : low + 100
  const first = Math.ceil(low / unit)
  const last = Math.floor(high / unit)
  return last >= first ? between(random, first, last) * unit : low
}

function text(schema: JsonObject, random: Random, material: Material): string {
  const format = asString(schema.format)
  const day = `20${between(random, 20, 29)}-${String(between(random, 1, 12)).padStart(2, '0')}-${String(between(random, 1, 28)).padStart(2, '0')}`
  if (format === 'date') return day
  if (format === 'date-time') return `${day}T09:30:00Z`
  if (format === 'time') return '09:30:00Z'
  if (format === 'email') return `${material.words[0]?.replace(/[^a-z0-9]/gi, '') || 'someone'}@example.com`
  if (format === 'uri') return `https://example.com/${between(random, 1, 999)}`
  if (format === 'uuid') return `00000000-0000-4000-8000-${String(between(random, 0, 999_999_999)).padStart(12, '0')}`
  const least = asNumber(schema.minLength) ?? 0
  const most = asNumber(schema.maxLength) ?? Number.POSITIVE_INFINITY
  let value = material.words.length > 0 ? pick(random, material.words) : 'value'
  while (value.length < least) value += ` ${material.words.length > 0 ? pick(random, material.words) : 'value'}`
  return value.slice(0, most)
}

function resolve(reference: string, root: JsonObject): JsonObject {
  let place: Json | undefined = root
  for (const name of reference.replace(/^#\/?/, '').split('/').filter(Boolean)) {
    place = asObject(place)?.[name.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  return asObject(place) ?? {}
}

function dereference(schema: JsonObject, root: JsonObject): JsonObject {
  const reference = asString(schema.$ref)
  return reference ? resolve(reference, root) : schema
}

function merge(schemas: JsonObject[]): JsonObject {
  const merged: JsonObject = {}
  for (const schema of schemas) {
    const properties = { ...asObject(merged.properties), ...asObject(schema.properties) }
    const required = [...asList(merged.required), ...asList(schema.required)]
    Object.assign(merged, schema)
    if (Object.keys(properties).length > 0) merged.properties = properties
    if (required.length > 0) merged.required = required
  }
  return merged
}

function plainest(branches: JsonObject[]): JsonObject {
  const plain = (schema: JsonObject) => !schema.$ref && !schema.properties && !schema.items
  return branches.find((branch) => typeOf(branch) === 'null') ?? branches.find(plain) ?? branches[0]!
}
