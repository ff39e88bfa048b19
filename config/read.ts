import {
  IsArray,
  IsObject,
  IsRecord,
  IsUnion,
  type TArray,
  type TObject,
  type TRecord,
  type TSchema,
  type TUnion,
} from 'typebox'
import { defaults, leaf } from './defaults.ts'
import { expected } from './limit.ts'
import { quote } from './problem.ts'
import { convert, fromEnvironment } from './scalar.ts'
import { nearest } from './suggest.ts'
import { type Complain, type Given, join } from './tree.ts'

/** What the reader tells while it walks. */
export interface Listener {
  complain: Complain
  /** Called for each setting, section and entry in use: where it stands, and the variables or files it was filled from. */
  found: (path: string, offset: number | undefined, sources: string[]) => void
}

/** What setting.ts gives every list and table; TypeBox keeps such keywords out of its types. */
interface Bounds {
  minItems?: number
  maxItems?: number
  maxProperties?: number
}

const tableKey = /^[A-Za-z0-9][\w.-]{0,62}$/

/**
 * Reads the tree against the schema: the complete settings in the units of the program, with the default in place of
 * whatever was complained of. Checks everything that concerns one setting alone; rules.ts checks them together.
 */
export function readSettings(
  schema: TSchema,
  tree: Given | undefined,
  env: Record<string, string | undefined>,
  { complain, found }: Listener,
): unknown {
  const everyName = names(schema, '')
  return read(schema, tree, '', undefined)

  /** `near` is the closest place in the file for a setting that is missing from it. */
  function read(schema: TSchema, given: Given | undefined, path: string, near: number | undefined): unknown {
    if (given) found(path, given.offset, [])
    if (IsObject(schema)) return readSection(schema, given, path, near)
    if (IsArray(schema)) return readList(schema, given, path, near)
    if (IsRecord(schema)) return readTable(schema, given, path)
    if (IsUnion(schema)) return readEither(schema, given, path, near)
    return readScalar(schema, given, path, near)
  }

  function readSection(schema: TObject, given: Given | undefined, path: string, near: number | undefined): unknown {
    const known = Object.keys(schema.properties)
    const entries = given && 'entries' in given ? given.entries : undefined
    // A section whose settings are all commented out is null in YAML, and says nothing.
    if (given && !entries && !isNull(given)) {
      complain(path, given.offset, 'should be a section', `put settings under it: ${known.join(', ')}`)
    }
    for (const [name, { offset }] of entries ?? []) {
      if (!known.includes(name)) refuseUnknown(known, name, path, offset)
    }
    return Object.fromEntries(
      Object.entries(schema.properties).map(([name, child]) => {
        return [name, read(child, entries?.get(name)?.value, join(path, name), given?.offset ?? near)]
      }),
    )
  }

  function refuseUnknown(known: string[], name: string, path: string, offset: number): void {
    const elsewhere = everyName.filter((candidate) => candidate.endsWith(`.${name}`))
    const guess = nearest(name, known) ?? elsewhere[0]
    const fix = guess === undefined ? `known here: ${known.join(', ')}` : `did you mean ${guess}?`
    complain(join(path, name), offset, `unknown setting ${quote(name)}`, fix)
  }

  function readList(schema: TArray, given: Given | undefined, path: string, near: number | undefined): unknown[] {
    const { minItems = 0, maxItems = 0 } = schema as TArray & Bounds
    // One value may stand for a list of one.
    const single = given && 'scalar' in given && given.scalar !== null && !IsObject(schema.items)
    const items = given && 'items' in given ? given.items : single ? [given] : []
    if (given && !('items' in given) && !single && !isNull(given)) {
      complain(path, given.offset, 'should be a list', "begin each entry with '- '")
    } else if (items.length < minItems) {
      complain(path, given?.offset ?? near, 'is missing', `add ${expected(schema.items)}`)
    } else if (items.length > maxItems) {
      complain(path, given?.offset, `has ${items.length} entries`, `keep it to ${maxItems}`)
    }
    return items.slice(0, maxItems).map((item, index) => read(schema.items, item, `${path}[${index}]`, given?.offset))
  }

  function readTable(schema: TRecord, given: Given | undefined, path: string): unknown {
    if (given && !('entries' in given) && !isNull(given)) {
      complain(path, given.offset, 'should be a table', "write 'name: value' lines under it")
    }
    const { maxProperties = 0 } = schema as TRecord & Bounds
    const entries = given && 'entries' in given ? [...given.entries] : []
    if (entries.length > maxProperties)
      complain(path, given?.offset, `has ${entries.length} entries`, `keep it to ${maxProperties}`)
    const valueSchema = Object.values(schema.patternProperties)[0] as TSchema
    const kept = entries.slice(0, maxProperties).filter(([name, { offset }]) => {
      if (tableKey.test(name)) return true
      complain(join(path, name), offset, `${quote(name)} cannot be a name`, 'use letters, digits and . _ -, at most 63')
      return false
    })
    return Object.fromEntries(
      kept.map(([name, { value }]) => [name, read(valueSchema, value, join(path, name), value.offset)]),
    )
  }

  /** `true`, `false`, one entry or a list of them: the one union there is (server.trustProxy). */
  function readEither(schema: TUnion, given: Given | undefined, path: string, near: number | undefined): unknown {
    const [flag, list] = schema.anyOf as [TSchema, TArray]
    if (given === undefined || isNull(given)) return readScalar(flag, given, path, near)
    if (!('scalar' in given) || given.scalar === null) return read(list, given, path, near)
    if ('value' in convert(flag, given.scalar, env)) return readScalar(flag, given, path, near)
    const outcome = convert(list.items, given.scalar, env)
    found(path, given.offset, outcome.sources)
    if ('value' in outcome) return [outcome.value]
    complain(path, given.offset, outcome.message, `write ${expected(schema)}`)
    return defaults(schema)
  }

  function readScalar(schema: TSchema, given: Given | undefined, path: string, near: number | undefined): unknown {
    const { castor } = leaf(schema)
    const right = `write ${expected(schema)}`
    if (given === undefined) {
      if (castor.needed) complain(path, near, 'is missing', `add ${expected(schema)}`)
      const text = castor.env && Object.hasOwn(env, castor.env) ? env[castor.env] : undefined
      return castor.env && text ? settle(fromEnvironment(schema, castor.env, text)) : defaults(schema)
    }
    if (!('scalar' in given))
      complain(path, given.offset, `should be one value, not a ${'items' in given ? 'list' : 'section'}`, right)
    else if (given.scalar === null) complain(path, given.offset, 'has no value', `${right}, or remove the line`)
    else return settle(convert(schema, given.scalar, env))
    return defaults(schema)

    function settle(outcome: ReturnType<typeof convert>): unknown {
      found(path, given?.offset, outcome.sources)
      if ('value' in outcome) return outcome.value
      complain(path, given?.offset, outcome.message, outcome.fix)
      return defaults(schema)
    }
  }
}

function isNull(given: Given): boolean {
  return 'scalar' in given && given.scalar === null
}

/** The paths of all settings and sections outside lists, for suggestions. */
function names(schema: TSchema, path: string): string[] {
  if (!IsObject(schema)) return []
  return Object.entries(schema.properties).flatMap(([name, child]) => [
    join(path, name),
    ...names(child, join(path, name)),
  ])
}
