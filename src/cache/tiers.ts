/**
 * The cache as a whole: memory over a store that outlives it. Reads wait for the store a moment at most, writes never;
 * a store that is slow or dead makes misses, nothing else.
 */
import { type Damage, decodeEntry, type Entry } from './entry.ts'
import { type After, afterMs, createGuard, WRITE_DEADLINE_MS } from './guard.ts'
import type { Memory, MemoryStats } from './memory.ts'
import { createPurges } from './purges.ts'
import { keyvOf, type Store, type StoreStats } from './store.ts'
import { createWriter } from './writer.ts'

export type TiersOptions = {
  memory: Memory
  /** None: the cache lives and dies with the process. */
  store?: Store
  /** Epoch ms. */
  now: () => number
  /** How long a look-up waits for the store, ms. Default 100. */
  deadlineMs?: number
  compress?: boolean
  /** What may wait for the store. */
  queue?: { maxEntries: number; maxBytes: number }
  /** How soon a purge on one replica is known on the others, ms. Default 1000. */
  pollMs?: number
  onStoreState?: (state: 'away' | 'back', cause?: unknown) => void
  /** Told once per damaged value; the value is deleted. */
  onDamage?: (damage: Damage, key: string) => void
  after?: After
}

export type Found = { entry: Entry; tier: string }

export type TiersStats = {
  memory: MemoryStats
  store:
    | (StoreStats & {
        name: string
        away: boolean
        /** Takes no answers, though it may give some: a full disk, say. */
        full: boolean
        hits: number
        late: number
        errors: number
        written: number
        lost: number
      })
    | undefined
  queue: { entries: number; bytes: number; dropped: number }
  damaged: Record<string, number>
}

export type Tiers = ReturnType<typeof createTiers>

export function createTiers(options: TiersOptions) {
  const { memory, store, now } = options
  const after = options.after ?? afterMs
  const keyv = store === undefined ? undefined : keyvOf(store.adapter)
  const guard = createGuard({
    deadlineMs: options.deadlineMs ?? 100,
    probe: () => purges.learn(),
    onState: (state, cause) => report(state, cause, writer.isAway()),
    after,
  })
  const purges = createPurges({
    store,
    guard,
    after,
    pollMs: options.pollMs ?? 1000,
    forget(isCovered) {
      writer.removeWhere(isCovered)
      return memory.sweep(isCovered)
    },
  })
  const writer = createWriter({
    keyv,
    isStoreAway: guard.isAway,
    onState: (state, cause) => report(state, cause, guard.isAway()),
    after,
    now,
    compress: options.compress ?? true,
    bounds: options.queue ?? { maxEntries: 10_000, maxBytes: 64 * 1024 * 1024 },
    isUsable,
  })
  const asking = new Map<string, Promise<Found | undefined>>()
  const damaged: Record<string, number> = {}
  let hits = 0
  let closed = false

  /** Reads and writes fail and recover by themselves; the operator hears of the first and of the last. */
  function report(state: 'away' | 'back', cause: unknown, isOtherAway: boolean): void {
    if (!isOtherAway) options.onStoreState?.(state, cause)
  }

  /** An answer at hand, fresh or stale; costs no promise. */
  function peek(key: string): Entry | undefined {
    const entry = memory.get(key) ?? writer.get(key)
    if (entry === undefined) return undefined
    if (isUsable(entry)) return entry
    memory.delete(key)
    return undefined
  }

  /** An answer from wherever it is; undefined is a miss. Never rejects, never takes longer than the deadline. */
  async function find(key: string): Promise<Found | undefined> {
    const entry = peek(key)
    if (entry !== undefined) return { entry, tier: 'memory' }
    return await fetch(key)
  }

  /** Answers to the same question in other framings: all looked up at once, within one deadline, none counted as a miss. */
  async function findOthers(others: readonly string[]): Promise<Array<Found | undefined>> {
    return await Promise.all(
      others.map((key) => {
        const entry = memory.look(key) ?? writer.get(key)
        return entry !== undefined && isUsable(entry) ? { entry, tier: 'memory' } : fetch(key)
      }),
    )
  }

  /** Only the lower tier, for a caller that has peeked. Equal questions in flight share one look-up. */
  function fetch(key: string): Promise<Found | undefined> {
    const pending = asking.get(key)
    if (pending !== undefined) return pending
    const asked = ask(key).finally(() => asking.delete(key))
    asking.set(key, asked)
    return asked
  }

  async function ask(key: string): Promise<Found | undefined> {
    if (keyv === undefined || store === undefined) return undefined
    const value = await guard.run(() => keyv.get(key))
    if (value === undefined || value === null) return undefined
    const entry = decodeEntry(value, key)
    if (typeof entry === 'string') {
      damaged[entry] = (damaged[entry] ?? 0) + 1
      options.onDamage?.(entry, key)
      void guard.run(() => keyv.delete(key))
      return undefined
    }
    if (!isUsable(entry)) return undefined
    hits++
    memory.set(key, entry)
    return { entry, tier: store.name }
  }

  function isUsable(entry: Entry): boolean {
    return now() < entry.header.staleUntil && !purges.isPurged(entry.header)
  }

  /** Remembers an answer; the store gets it in its own time. An answer asked for before a purge is not taken. */
  function put(entry: Entry): boolean {
    if (closed || !isUsable(entry)) return false
    memory.set(entry.header.key, entry)
    writer.add(entry)
    return true
  }

  /** Learns the purges and takes the best answers into memory; look-ups work meanwhile. @returns how many */
  async function open(warm = 0): Promise<number> {
    if (store === undefined) return 0
    await purges.open()
    let taken = 0
    try {
      for await (const { key, value } of store.best(warm)) {
        if (closed) break
        const entry = decodeEntry(value, key)
        if (typeof entry === 'string' || !isUsable(entry) || memory.has(key)) continue
        // The best come first: what follows is worth no more.
        if (!memory.set(key, entry)) break
        taken++
      }
    } catch (cause) {
      // A store that fails here fails look-ups as well, where the guard counts and reports it.
      void guard.run(() => Promise.reject(cause))
    }
    return taken
  }

  /** Deletes what is of no more use. @returns how many */
  async function cleanup(): Promise<number> {
    const here = memory.sweep()
    const there = store === undefined || guard.isAway() ? 0 : await store.cleanup().catch(() => 0)
    return Math.max(here, there)
  }

  async function stats(): Promise<TiersStats> {
    const held = store === undefined ? undefined : await guard.run(() => store.stats())
    const { written, lost, ...queue } = writer.stats()
    return {
      memory: memory.stats(),
      store: store && {
        ...(held ?? { entries: undefined, bytes: undefined }),
        name: store.name,
        away: guard.isAway(),
        full: writer.isAway(),
        hits,
        written,
        lost,
        ...guard.counts,
      },
      queue,
      damaged: { ...damaged },
    }
  }

  /** What health needs to know, without asking the store. */
  function state(): { store: string | undefined; away: boolean; full: boolean } {
    return { store: store?.name, away: guard.isAway(), full: writer.isAway() }
  }

  /** Writes what waits, within `deadlineMs`, and closes the store. */
  async function close(deadlineMs = WRITE_DEADLINE_MS): Promise<void> {
    if (closed) return
    closed = true
    purges.close()
    await writer.close(deadlineMs)
    guard.close()
    await store?.close().catch(() => {})
  }

  return {
    peek,
    find,
    findOthers,
    fetch,
    put,
    purge: purges.purge,
    open,
    cleanup,
    stats,
    state,
    resize: memory.resize,
    flush: writer.flush,
    close,
    generation: purges.generation,
  }
}
