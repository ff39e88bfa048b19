/** Answers on their way to the store: bounded in number and bytes, one per key, the oldest given up first. */
import { type Entry, entryBytes } from './entry.ts'

export function createQueue(options: { maxEntries: number; maxBytes: number }) {
  const waiting = new Map<string, Entry>()
  let bytes = 0
  let dropped = 0

  function add(entry: Entry): void {
    const { key } = entry.header
    remove(key)
    waiting.set(key, entry)
    bytes += entryBytes(entry)
    while (waiting.size > options.maxEntries || bytes > options.maxBytes) {
      remove(waiting.keys().next().value as string)
      dropped++
    }
  }

  function remove(key: string): void {
    const entry = waiting.get(key)
    if (entry === undefined) return
    waiting.delete(key)
    bytes -= entryBytes(entry)
  }

  /** The oldest, up to `limit`; they stay until `remove` or `done`. */
  function oldest(limit: number): Entry[] {
    const first: Entry[] = []
    for (const entry of waiting.values()) {
      if (first.length === limit) break
      first.push(entry)
    }
    return first
  }

  /** Written: removes them, except those replaced meanwhile. */
  function done(entries: Entry[]): void {
    for (const entry of entries) if (waiting.get(entry.header.key) === entry) remove(entry.header.key)
  }

  function removeWhere(covers: (entry: Entry) => boolean): void {
    for (const [key, entry] of waiting) if (covers(entry)) remove(key)
  }

  return {
    add,
    remove,
    removeWhere,
    oldest,
    done,
    get: (key: string) => waiting.get(key),
    stats: () => ({ entries: waiting.size, bytes, dropped }),
  }
}
