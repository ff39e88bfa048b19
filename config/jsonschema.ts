import { IsArray, IsObject, IsRecord, IsUnion, type TArray, type TSchema } from 'typebox'
import { leaf } from './defaults.ts'
import { configSchema } from './schema.ts'

/** A JSON Schema (draft-07, what editors understand) node. */
export type JsonSchema = { [keyword: string]: unknown }

// Any setting may be written as a reference, which only the loader can check.
const reference = { type: 'string', pattern: '\\$\\{' }

// The same spellings as units.ts: a number with a unit, or 0.
const spellings: Record<string, JsonSchema> = {
  duration: { type: ['string', 'integer'], pattern: '^(0|([0-9]+(\\.[0-9]+)?(ms|[smhdw]))+)$', maximum: 0, minimum: 0 },
  size: {
    type: ['string', 'integer'],
    pattern: '^(0|[0-9]+(\\.[0-9]+)? ?([KkMmGgTt][Ii]?)?[Bb])$',
    maximum: 0,
    minimum: 0,
  },
}

/** docs/gateway.schema.json: the schema as text, laid out as the formatter of this repository would. */
export function jsonSchemaText(): string {
  return `${print(jsonSchema(), 0, 0)}\n`
}

/** The form of gateway.yaml for editors: completion, descriptions and most mistakes while typing. */
export function jsonSchema(): JsonSchema {
  const schema = { $schema: 'http://json-schema.org/draft-07/schema#', title: 'gateway.yaml of Castor' }
  return { ...schema, ...written(configSchema) }
}

/** The schema of what is written in the file, which differs from the loaded form in units and references. */
function written(schema: TSchema): JsonSchema {
  const { description }: { description?: string } = leaf(schema)
  if (IsObject(schema)) {
    const children = Object.entries(schema.properties)
    const needed = children.filter(([, child]) => isNeeded(child)).map(([name]) => name)
    const properties = Object.fromEntries(children.map(([name, child]) => [name, written(child)]))
    const type = needed.length > 0 ? 'object' : ['object', 'null']
    return {
      description,
      type,
      properties,
      additionalProperties: false,
      ...(needed.length > 0 ? { required: needed } : {}),
    }
  }
  if (IsArray(schema)) {
    const { minItems, maxItems } = limits(schema)
    const items = written(schema.items)
    const list = { type: minItems > 0 ? 'array' : ['array', 'null'], items, minItems, maxItems }
    return IsObject(schema.items) ? { description, ...list } : { description, anyOf: [list, items] }
  }
  if (IsRecord(schema)) {
    return {
      description,
      type: ['object', 'null'],
      additionalProperties: written(Object.values(schema.patternProperties)[0]!),
    }
  }
  if (IsUnion(schema)) return { description, default: leaf(schema).default, anyOf: schema.anyOf.map(written) }
  return writtenScalar(schema)
}

function writtenScalar(schema: TSchema): JsonSchema {
  const { castor, description, default: fallback, ...own } = leaf(schema)
  const exact: JsonSchema = spellings[castor.kind] ?? { ...own }
  const isFree =
    Object.keys(exact).every((keyword) => keyword === 'type' || keyword === 'maxLength') && exact.type === 'string'
  const examples = castor.example === undefined ? {} : { examples: [castor.example] }
  const about = {
    ...(description === '' ? {} : { description }),
    ...(castor.needed ? {} : { default: fallback }),
    ...examples,
  }
  return isFree ? { ...about, ...exact } : { ...about, anyOf: [exact, reference] }
}

function isNeeded(schema: TSchema): boolean {
  return IsArray(schema) ? limits(schema).minItems > 0 : leaf(schema).castor?.needed === true
}

function limits(schema: TArray): { minItems: number; maxItems: number } {
  // list() in setting.ts gives every list both keywords, which TypeBox keeps out of its types.
  return schema as TArray & { minItems: number; maxItems: number }
}

const width = 120

/** `before` is what already stands on the line; objects are always spread, lists only when they do not fit. */
function print(value: unknown, depth: number, before: number): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const inner = '  '.repeat(depth + 1)
  const end = `\n${'  '.repeat(depth)}`
  if (!Array.isArray(value)) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined)
    const lines = members.map(([name, member]) => {
      const start = `${inner}${JSON.stringify(name)}: `
      return start + print(member, depth + 1, start.length)
    })
    return lines.length === 0 ? '{}' : `{\n${lines.join(',\n')}${end}}`
  }
  const items = value.map((item) => print(item, depth + 1, inner.length))
  const oneLine = `[${items.join(', ')}]`
  const fits = !oneLine.includes('\n') && before + oneLine.length + 1 <= width
  return fits ? oneLine : `[\n${items.map((item) => inner + item).join(',\n')}${end}]`
}
