import { hash, randomBytes } from 'node:crypto'

/** Browsers that are signed in. */
export interface Sessions<Who> {
  /** Starts a session and returns its id, 256 random bits; only a hash of it is kept. */
  open(who: Who, ttlMs: number): string
  /** Who the session belongs to; null when it is unknown or over. */
  find(id: string): Who | null
  close(id: string): void
  /** Ends all of them. */
  clear(): void
}

/**
 * @param now milliseconds
 * @param max sessions kept; the oldest is ended first
 */
export function createSessions<Who>(now: () => number, max = 200): Sessions<Who> {
  const open = new Map<string, { who: Who; endsAt: number }>()
  const key = (id: string): string => hash('sha256', id)
  return {
    open(who, ttlMs) {
      for (const [other, { endsAt }] of open) if (endsAt <= now()) open.delete(other)
      const [oldest] = open.keys()
      if (open.size >= max && oldest !== undefined) open.delete(oldest)
      const id = randomBytes(32).toString('base64url')
      open.set(key(id), { who, endsAt: now() + ttlMs })
      return id
    },
    find(id) {
      const session = open.get(key(id))
      if (session === undefined) return null
      if (session.endsAt > now()) return session.who
      open.delete(key(id))
      return null
    },
    close: (id) => void open.delete(key(id)),
    clear: () => open.clear(),
  }
}
