/**
 * Keys of answers that are gone, to know what a longer life or a larger memory would have hit. As many keys are kept as
 * the memory holds answers, so an evicted one that is asked for again would have been found in a memory of about twice
 * the size.
 */
export type Ghost = {
  why: 'evicted' | 'expired'
  costUsd: number
  latencyMs: number
  createdAt: number
  ttlMs: number
}

/** Misses that would have been hits, what they cost, and how long they took. */
type Missed = { hits: number; costUsd: number; latencyMs: number }

export type GhostHits = {
  /** With twice the TTL. */
  ttl: Missed
  /** With twice the memory. */
  size: Missed
}

/** @param limit how many keys are kept; a function, since the memory may be resized */
export function createGhosts(limit: () => number) {
  const gone = new Map<string, Ghost>()
  const hits: GhostHits = {
    ttl: { hits: 0, costUsd: 0, latencyMs: 0 },
    size: { hits: 0, costUsd: 0, latencyMs: 0 },
  }

  function remember(key: string, ghost: Ghost): void {
    gone.delete(key)
    gone.set(key, ghost)
    if (gone.size > limit()) gone.delete(gone.keys().next().value as string)
  }

  /** Tells that a key was asked for and not found. Each ghost counts once. */
  function missed(key: string, now: number): void {
    const ghost = gone.get(key)
    if (ghost === undefined) return
    gone.delete(key)
    const ageMs = now - ghost.createdAt
    if (ghost.why === 'expired' ? ageMs < 2 * ghost.ttlMs : ageMs < ghost.ttlMs) {
      const kind = ghost.why === 'expired' ? hits.ttl : hits.size
      kind.hits++
      kind.costUsd += ghost.costUsd
      kind.latencyMs += ghost.latencyMs
    }
  }

  return {
    remember,
    missed,
    forget: (key: string) => gone.delete(key),
    hits,
    size: () => gone.size,
    clear: () => gone.clear(),
  }
}
