/**
 * Which callers may be answered from memory: those whose own Gemini key Gemini has accepted lately, as its real answers
 * show. A revoked or made-up key thereby gets nothing, not even what its owner once asked. Callers known by a key of the
 * gateway have been checked by the gateway itself.
 */
export type Trust = {
  accepted: (tenant: string) => void
  /** Gemini has refused the key: no more hits, at once. */
  refused: (tenant: string) => void
  holds: (tenant: string) => boolean
}

const MAX_TENANTS = 100_000

/**
 * @param lifeMs how long an acceptance counts
 * @param now epoch ms
 */
export function createTrust(lifeMs: () => number, now: () => number): Trust {
  const acceptedAt = new Map<string, number>()
  return {
    accepted(tenant) {
      // Moved to the end, so that the tenant not heard of for longest is the one forgotten.
      acceptedAt.delete(tenant)
      if (acceptedAt.size >= MAX_TENANTS) acceptedAt.delete(acceptedAt.keys().next().value as string)
      acceptedAt.set(tenant, now())
    },
    refused: (tenant) => void acceptedAt.delete(tenant),
    holds(tenant) {
      const at = acceptedAt.get(tenant)
      return at !== undefined && now() - at < lifeMs()
    },
  }
}
