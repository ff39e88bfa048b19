/**
 * Purges, here and on every replica: each takes the next generation from the store, is remembered here as a floor, and is
 * learned by the others from the store they share.
 */
import type { Entry } from './entry.ts'
import { type After, type Guard, WRITE_DEADLINE_MS } from './guard.ts'
import { covers, createFloors, type Scope, scopeText } from './scope.ts'
import type { Store } from './store.ts'

export type PurgesOptions = {
  store: Store | undefined
  guard: Guard
  after: After
  /** How soon a purge on one replica is known on the others. */
  pollMs: number
  /** Removes from memory, and from what waits to be written. @returns how many were in memory */
  forget: (isCovered: (entry: Entry) => boolean) => number
}

export function createPurges({ store, guard, after, pollMs, forget }: PurgesOptions) {
  const floors = createFloors()
  let cancelPoll = () => {}
  let closed = false

  /**
   * Forgets what a scope covers: here at once, elsewhere within `pollMs`, in the store before this resolves.
   * @returns how many answers were deleted; those that were in memory and in the store count once
   */
  async function purge(scope: Scope): Promise<number> {
    const mine = floors.generation()
    const generation = (await guard.run(async () => store?.raise(scope, mine), WRITE_DEADLINE_MS)) ?? mine + 1
    const here = apply(scope, generation)
    // Deleting is a matter of space: the floor already hides what a store that fails here still holds.
    const there = guard.isAway() ? 0 : await store?.purge(scope, generation).catch(() => 0)
    return Math.max(here, there ?? 0)
  }

  function apply(scope: Scope, generation: number): number {
    if (!floors.raise(scope, generation)) return 0
    return forget(({ header }) => header.generation < generation && covers(scope, header))
  }

  /** Takes over purges made elsewhere, and gives back those the store has lost (evicted, replaced, away at the time). */
  async function learn(): Promise<void> {
    if (store === undefined) return
    const known = await store.floors()
    for (const { scope, generation } of known) apply(scope, generation)
    const kept = new Set(known.map(({ scope }) => scopeText(scope)))
    for (const { scope, generation } of floors.list()) {
      if (!kept.has(scopeText(scope))) apply(scope, await store.raise(scope, generation - 1))
    }
  }

  /** Learns now, and goes on learning. */
  async function open(): Promise<void> {
    await guard.run(learn, WRITE_DEADLINE_MS)
    poll()
  }

  function poll(): void {
    if (closed) return
    cancelPoll = after(pollMs, () => void guard.run(learn, WRITE_DEADLINE_MS).finally(poll))
  }

  function close(): void {
    closed = true
    cancelPoll()
  }

  return { purge, learn, open, close, isPurged: floors.isPurged, generation: floors.generation }
}
