import { skipSpace, skipValue } from './scan.ts'

const KEYS = ['"usageMetadata"', '"usage_metadata"', '"usage"'].map((key) => Buffer.from(key))

/** Occurrences of the key that are looked at, from the last one on. */
const ATTEMPTS = 8

/**
 * From the last part of a JSON object too large to keep: an object of its top-level keys from the usage on, or
 * undefined when none is provably there.
 *
 * The proof: a quote right after `{`, `,` or white space cannot stand inside a JSON string (it would be escaped) nor
 * close one (what follows would be no JSON), so the match is a key; and when the brackets from there to the end close
 * one more than they open, exactly at the end, the key is one of the outermost object.
 */
export function usageTail(bytes: Buffer): Buffer | undefined {
  for (const key of KEYS) {
    let at = bytes.lastIndexOf(key)
    for (let attempt = 0; at > 0 && attempt < ATTEMPTS; attempt += 1) {
      const tail = topLevelFrom(bytes, at, key.length)
      if (tail !== undefined) return tail
      at = bytes.lastIndexOf(key, at - 1)
    }
  }
  return undefined
}

function topLevelFrom(bytes: Buffer, at: number, keyLength: number): Buffer | undefined {
  if (!isBeforeKey(bytes[at - 1]) || bytes[skipSpace(bytes, at + keyLength)] !== 0x3a) return undefined
  const tail = Buffer.concat([Buffer.of(0x7b), bytes.subarray(at)])
  const end = skipValue(tail, 0)
  return end !== -1 && skipSpace(tail, end) === tail.length ? tail : undefined
}

/** `{`, `,` or JSON white space. */
function isBeforeKey(byte: number | undefined): boolean {
  return byte === 0x7b || byte === 0x2c || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}
