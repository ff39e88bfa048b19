import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

/** Prefix by which people and secret scanners know a key that Castor issued. */
export const issuedKeyPrefix = 'castor-'

export interface IssuedKey {
  /** shown once to the person who asked for it, stored nowhere */
  key: string
  /** `sha256:<hex>`, what gateway.yaml keeps */
  keyHash: string
}

/** Makes a key of 256 random bits; with that much entropy a plain SHA-256 cannot be turned back. */
export function issueKey(): IssuedKey {
  const key = `${issuedKeyPrefix}${randomBytes(32).toString('base64url')}`
  return { key, keyHash: hashKey(key) }
}

/** The stored form of a key. */
export function hashKey(key: string): string {
  return `sha256:${hash('sha256', key, 'hex')}`
}

/** Whether two stored forms are the same, in time that does not depend on where they differ. */
export function sameHash(one: string, other: string): boolean {
  const a = Buffer.from(one)
  const b = Buffer.from(other)
  return a.length === b.length && timingSafeEqual(a, b)
}
