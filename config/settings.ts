import { IsArray, IsObject, IsRecord, type TSchema } from 'typebox'
import { join } from './tree.ts'

/** One thing that can be set, as documentation and comparisons need it. */
export interface Setting {
  /** `server.port`; entries of lists as `clients[].name`, of tables as `clients[].tags.*`. */
  path: string
  schema: TSchema
}

/** All settings of a schema in its order. With `entries`, lists and tables are followed by what stands in an entry. */
export function settings(schema: TSchema, entries: boolean, path = ''): Setting[] {
  if (IsObject(schema)) {
    return Object.entries(schema.properties).flatMap(([name, child]) => settings(child, entries, join(path, name)))
  }
  const own = { path, schema }
  if (entries && IsArray(schema) && (IsObject(schema.items) || IsRecord(schema.items))) {
    return [own, ...settings(schema.items, entries, `${path}[]`)]
  }
  return [own]
}

/** The value at a path such as `server.tls.cert`, without entries of lists. */
export function valueAt(values: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], values)
}
