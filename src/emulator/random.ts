/** Chance that repeats itself: the same seed gives the same sequence. */

/** FNV-1a over UTF-16 units: 32 bits. */
export function hash(text: string, seed = 0): number {
  let value = (0x811c9dc5 ^ seed) >>> 0
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  }
  // FNV leaves the high bits of short texts alike; this finaliser is murmur3's
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}

/** Draws from [0, 1). */
export type Random = () => number

/** mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A whole number from `least` to `most`, both included. */
export function between(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1))
}

/** One of a list that is not empty. */
export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[Math.floor(random() * items.length)]!
}

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'
const urlSafe = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Lower-case letters and digits, as in names of files and operations. */
export function randomName(random: Random, length: number): string {
  let name = ''
  while (name.length < length) name += letters[Math.floor(random() * letters.length)]
  return name
}

/** Characters of base64url, as in response ids and upload ids. */
export function randomToken(random: Random, length: number): string {
  let token = ''
  while (token.length < length) token += urlSafe[Math.floor(random() * urlSafe.length)]
  return token
}
