/**
 * Brings answers to the store in batches, in its own time. It has a guard of its own, because a store may take no more
 * (a full disk) and still answer look-ups.
 */
import { setImmediate as breathe } from 'node:timers/promises'
import { type Entry, encodeEntry } from './entry.ts'
import { type After, createGuard, WRITE_DEADLINE_MS } from './guard.ts'
import { createQueue } from './queue.ts'
import type { keyvOf } from './store.ts'

export type WriterOptions = {
  /** None: there is no store, and nothing to do. */
  keyv: ReturnType<typeof keyvOf> | undefined
  /** Whether look-ups fail as well: then it is the store, not what is written. */
  isStoreAway: () => boolean
  onState: (state: 'away' | 'back', cause?: unknown) => void
  after: After
  now: () => number
  compress: boolean
  /** What may wait. */
  bounds: { maxEntries: number; maxBytes: number }
  /** Asked again when its turn comes: it may have expired or been purged meanwhile. */
  isUsable: (entry: Entry) => boolean
}

/** Written together, in one transaction: with SQLite about a millisecond of the event loop. */
const BATCH = 20
/** Answers are gathered this long before they are written. */
const FLUSH_MS = 20
/** A batch that fails this often on a living store is given up. */
const REFUSALS = 6

export function createWriter(options: WriterOptions) {
  const { keyv, after } = options
  const queue = createQueue(options.bounds)
  const counts = { written: 0, lost: 0 }
  const guard = createGuard({
    deadlineMs: WRITE_DEADLINE_MS,
    probe: writeNext,
    onState: (state, cause) => {
      options.onState(state, cause)
      if (state === 'back') soon()
    },
    after,
  })
  let refusals = 0
  let cancelFlush: (() => void) | undefined
  let flushing: Promise<void> | undefined
  let closed = false

  function add(entry: Entry): void {
    if (keyv === undefined) return
    queue.add(entry)
    soon()
  }

  function soon(): void {
    if (closed || cancelFlush !== undefined || flushing !== undefined) return
    cancelFlush = after(FLUSH_MS, () => {
      cancelFlush = undefined
      flushing = flush().finally(() => {
        flushing = undefined
        if (queue.stats().entries > 0 && !guard.isAway()) soon()
      })
    })
  }

  /** Writes what waits, until nothing does or a batch fails. */
  async function flush(): Promise<void> {
    while (queue.stats().entries > 0) {
      if ((await guard.run(writeNext)) === undefined) return
      // SQLite writes without waiting for anything: requests come through between batches.
      await breathe()
    }
  }

  async function writeNext(): Promise<true> {
    const batch = queue.oldest(BATCH)
    const living = batch.filter(options.isUsable)
    try {
      await write(living)
    } catch (error) {
      if (!options.isStoreAway() && ++refusals >= REFUSALS) {
        // It may be these that the store will not have (too large, say), and others wait behind.
        counts.lost += batch.length
        refusals = 0
        queue.done(batch)
      }
      throw error
    }
    refusals = 0
    counts.written += living.length
    queue.done(batch)
    return true
  }

  async function write(entries: Entry[]): Promise<void> {
    if (entries.length === 0) return
    const rows = await Promise.all(
      entries.map(async (entry) => ({
        key: entry.header.key,
        value: await encodeEntry(entry, options.compress),
        ttl: entry.header.staleUntil - options.now(),
      })),
    )
    await keyv?.setMany(rows.filter(({ ttl }) => ttl > 0))
  }

  /** Writes what waits, within `deadlineMs`; what does not fit into it is lost to the store. */
  async function close(deadlineMs: number): Promise<void> {
    closed = true
    cancelFlush?.()
    const written = (async () => {
      await flushing
      await flush()
    })()
    await new Promise<void>((resolve) => {
      const cancel = after(deadlineMs, resolve)
      void written.finally(() => {
        cancel()
        resolve()
      })
    })
    guard.close()
  }

  return {
    add,
    flush,
    close,
    get: queue.get,
    removeWhere: queue.removeWhere,
    isAway: guard.isAway,
    stats: () => ({ ...queue.stats(), ...counts }),
  }
}
