import { createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a derived key is for. Each purpose has its own key, so that a proof made for one is worth nothing for another. */
export type Purpose = 'tenant' | 'upload' | 'cache'

/** Derives the 32-byte key of a purpose from the gateway's secret (HKDF-SHA-256, RFC 5869). */
export function deriveKey(secret: string, purpose: Purpose): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, 'castor', purpose, 32))
}

/** HMAC-SHA-256 over length-prefixed parts: no part can run into the next. */
export function keyedHash(key: Buffer, ...parts: string[]): Buffer {
  const hmac = createHmac('sha256', key)
  for (const part of parts) hmac.update(`${Buffer.byteLength(part)}:`).update(part)
  return hmac.digest()
}

/**
 * The secret that tenant identities and upload proofs are derived from: the configured one, or one made once and kept in the data
 * directory with mode 0600. Replicas must share one secret, or a tenant would be another person on each of them.
 * @param configured `auth.secret`, '' when not set
 */
export function loadSecret(configured: string, dataDir: string): string {
  if (configured !== '') return configured
  const file = join(dataDir, 'secret')
  if (existsSync(file)) return readFileSync(file, 'utf8').trim()
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const secret = randomBytes(32).toString('base64url')
  try {
    writeFileSync(file, `${secret}\n`, { mode: 0o600, flag: 'wx' })
    return secret
  } catch (error) {
    // Another process of ours was first: its secret is the one.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return readFileSync(file, 'utf8').trim()
    throw error
  }
}
