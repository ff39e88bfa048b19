import { isIPv6 } from 'node:net'

/** Failed sign-ins by address: so many at once, then one every few seconds. */
export interface Attempts {
  /** Seconds until this address may try again; 0 when it may now. */
  waitSeconds(address: string): number
  fail(address: string): void
}

const burst = 10
const refillMs = 6_000

/**
 * A token bucket per address, kept only while it is not full.
 * @param now milliseconds
 * @param max addresses remembered; the one that failed longest ago is forgotten first
 */
export function createAttempts(now: () => number, max = 10_000): Attempts {
  // The instant at which the bucket will be full again says all that there is to say of it.
  const fullAt = new Map<string, number>()
  return {
    waitSeconds(address) {
      const full = fullAt.get(network(address)) ?? 0
      return Math.max(0, Math.ceil((full - now() - (burst - 1) * refillMs) / 1000))
    },
    fail(address) {
      const key = network(address)
      const full = Math.max(fullAt.get(key) ?? 0, now()) + refillMs
      fullAt.delete(key)
      fullAt.set(key, full)
      if (fullAt.size <= max) return
      const [oldest] = fullAt.keys()
      if (oldest !== undefined) fullAt.delete(oldest)
    },
  }
}

/** One subscriber holds a whole /64 of IPv6 (RFC 6177), so that is what counts as one address. */
function network(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
  if (!isIPv6(plain)) return plain
  const [head = '', tail] = plain.split('::')
  const groups = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  if (tail !== undefined) while (groups.length + after.length < 8) groups.push('0')
  return [...groups, ...after].slice(0, 4).join(':')
}
