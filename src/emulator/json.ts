/** Reading JSON that somebody else wrote, and asking for nothing it does not hold. */

export type Json = null | boolean | number | string | Json[] | JsonObject
export interface JsonObject {
  [name: string]: Json | undefined
}

/** The value when it is an object (no array, no null), else undefined. */
export function asObject(value: unknown): JsonObject | undefined {
  // a cast the language forces: typeof narrows to object only
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
}

/** A repeated field: protobuf JSON also takes one element without brackets. */
export function asList(value: Json | undefined): Json[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}

/** The objects of a repeated field; everything else in it is passed over. */
export function asObjects(value: Json | undefined): JsonObject[] {
  const found: JsonObject[] = []
  for (const item of asList(value)) {
    const object = asObject(item)
    if (object) found.push(object)
  }
  return found
}

/** The string, or undefined. */
export function asString(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** The number, also when it was written as a string as protobuf's 64-bit fields are. */
export function asNumber(value: Json | undefined): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value !== 'string' || value.trim() === '') return undefined
  const number = Number(value)
  return Number.isFinite(number) ? number : undefined
}
