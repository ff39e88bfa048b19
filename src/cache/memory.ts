/**
 * The answers at hand, bounded by number and by bytes. Who must go is decided by worth (GreedyDual-Size-Frequency,
 * Cherkasova 1998; compared with LRU, LFU, S3-FIFO and W-TinyLFU in bench/eviction.ts):
 *
 *   rank = floor + (cost + latency's worth) × recent frequency / share, share = bytes / maxBytes + 1 / maxEntries
 *
 * The lowest rank goes, and the floor rises to it, so what was worth much long ago comes into reach. A newcomer that
 * ranks below everything stays out (admission). Hits only raise a rank, so they do not touch the heap: the rank is put
 * right when the entry reaches its top. A hit is O(1), an eviction O(log n).
 */
import { compactEntry, type Entry, entryBytes } from './entry.ts'
import { createGhosts, type GhostHits } from './ghosts.ts'
import { createHeap, type Ranked } from './heap.ts'
import { createQuotas, type Quota } from './quota.ts'
import { createSketch, fingerprint, type Sketch } from './sketch.ts'

export type MemoryOptions = {
  maxEntries: number
  maxBytes: number
  /** What a second of waiting is worth, for ranking. */
  usdPerSecond?: number
  /** A tenant's share; undefined means no bound of its own. */
  quota?: (tenant: string) => Quota | undefined
  /** Epoch ms. */
  now: () => number
}

export type MemoryStats = {
  entries: number
  bytes: number
  maxEntries: number
  maxBytes: number
  hits: number
  misses: number
  evictions: number
  expirations: number
  /** Answers refused because all that is held is worth more. */
  refusals: number
  ghosts: GhostHits
}

export type Node = Ranked & {
  key: string
  entry: Entry
  print: number
  bytes: number
  /** The floor when it was last used. */
  base: number
  /** What a hit saves, for the part of the memory it takes. */
  worth: number
  /** Its first stale miss is counted among the ghosts. */
  missedStale: boolean
}

export type Memory = ReturnType<typeof createMemory>

/** A cent an hour: waiting decides between answers of equal price, and a dear answer goes before a slow one. */
const USD_PER_SECOND = 0.01 / 3600

/**
 * Keys told apart, and requests until counts are halved, both for each entry held: a sketch as narrow as the memory
 * takes newcomers for old friends (measured: 4 % less saved).
 */
const COUNTED = 10
const WINDOW = 40
/** Four megabytes of counters. */
const MAX_COUNTED = 1_048_576

export function createMemory(options: MemoryOptions) {
  const { now } = options
  let bounds = { maxEntries: options.maxEntries, maxBytes: options.maxBytes }
  const usdPerMs = (options.usdPerSecond ?? USD_PER_SECOND) / 1000
  const nodes = new Map<string, Node>()
  const heap = createHeap<Node>()
  let sketch = sketchFor(bounds.maxEntries)
  const ghosts = createGhosts(() => bounds.maxEntries)
  const quotas = createQuotas<Node>(options.quota)
  const counts = { hits: 0, misses: 0, evictions: 0, expirations: 0, refusals: 0 }
  let bytes = 0
  let floor = 0

  /** The entry, fresh or stale (the caller looks at its age), counted as a use. */
  function get(key: string): Entry | undefined {
    const node = nodes.get(key)
    if (node === undefined) {
      sketch.add(fingerprint(key))
      counts.misses++
      ghosts.missed(key, now())
      return undefined
    }
    sketch.add(node.print)
    const { header } = node.entry
    const at = now()
    if (at >= header.staleUntil) {
      expire(node)
      counts.misses++
      ghosts.missed(key, at)
      return undefined
    }
    node.base = floor
    if (at < header.createdAt + header.ttlMs) counts.hits++
    else missStale(node, at)
    return node.entry
  }

  /** As `get`, but counts nothing: for a question looked up under another key than its own. */
  function look(key: string): Entry | undefined {
    const entry = nodes.get(key)?.entry
    return entry !== undefined && now() < entry.header.staleUntil ? entry : undefined
  }

  function missStale(node: Node, at: number): void {
    counts.misses++
    if (node.missedStale) return
    node.missedStale = true
    remember(node, 'expired')
    ghosts.missed(node.key, at)
  }

  /** @returns whether it is now held: an answer worth less than all others is not */
  function set(key: string, entry: Entry): boolean {
    const size = entryBytes(entry)
    const existing = nodes.get(key)
    if (existing !== undefined) drop(existing)
    if (size > bounds.maxBytes) return false
    const { header } = entry
    const print = fingerprint(key)
    const share = size / bounds.maxBytes + 1 / bounds.maxEntries
    const worth = (header.costUsd + header.latencyMs * usdPerMs) / share
    const node: Node = {
      key,
      entry: compactEntry(entry),
      print,
      bytes: size,
      base: floor,
      worth,
      missedStale: false,
      rank: 0,
      place: -1,
    }
    node.rank = rankOf(node)

    // The tenant's own room first: its answers go, not its neighbours'.
    for (
      let victim = quotas.over(header.tenant, size);
      victim !== undefined;
      victim = quotas.over(header.tenant, size)
    ) {
      if (victim === 'full') return refuse(node)
      evict(victim)
    }
    while (nodes.size + 1 > bounds.maxEntries || bytes + size > bounds.maxBytes) {
      const victim = leastWorth()
      if (victim === undefined) break
      if (victim.rank > node.rank) return refuse(node)
      evict(victim)
      floor = Math.max(floor, victim.rank)
    }
    nodes.set(key, node)
    heap.push(node)
    quotas.add(header.tenant, node)
    bytes += size
    ghosts.forget(key)
    return true
  }

  /** Keeping the newcomer out ages the rest as if it had come and gone. */
  function refuse(node: Node): false {
    floor = Math.max(floor, node.rank)
    counts.refusals++
    remember(node, 'evicted')
    return false
  }

  function rankOf(node: Node): number {
    const { header } = node.entry
    // An expired answer only stands in for a failing upstream.
    if (now() >= header.createdAt + header.ttlMs) return node.base
    return node.base + node.worth * Math.max(1, sketch.estimate(node.print))
  }

  /** The heap's least, its rank brought up to date first. */
  function leastWorth(): Node | undefined {
    for (;;) {
      const node = heap.least()
      if (node === undefined) return undefined
      const rank = rankOf(node)
      if (rank <= node.rank) {
        node.rank = rank
        return node
      }
      node.rank = rank
      heap.settle(node)
    }
  }

  function evict(node: Node): void {
    counts.evictions++
    remember(node, 'evicted')
    drop(node)
  }

  function expire(node: Node): void {
    counts.expirations++
    remember(node, 'expired')
    drop(node)
  }

  function remember(node: Node, why: 'evicted' | 'expired'): void {
    const { costUsd, latencyMs, createdAt, ttlMs } = node.entry.header
    ghosts.remember(node.key, { why, costUsd, latencyMs, createdAt, ttlMs })
  }

  function drop(node: Node): void {
    nodes.delete(node.key)
    heap.remove(node)
    quotas.remove(node.entry.header.tenant, node)
    bytes -= node.bytes
  }

  function remove(key: string): boolean {
    const node = nodes.get(key)
    if (node !== undefined) drop(node)
    return node !== undefined
  }

  /** Removes all that `covers` says; with no argument, what is past its use. @returns how many */
  function sweep(covers?: (entry: Entry) => boolean): number {
    let removed = 0
    const at = now()
    for (const node of nodes.values()) {
      if (covers !== undefined) {
        if (!covers(node.entry)) continue
        drop(node)
      } else {
        if (at < node.entry.header.staleUntil) continue
        expire(node)
      }
      removed++
    }
    return removed
  }

  /** Takes on other bounds. What is too much for smaller ones goes at once, the least useful first. */
  function resize(to: { maxEntries: number; maxBytes: number }): void {
    if (to.maxEntries !== bounds.maxEntries) sketch = sketchFor(to.maxEntries)
    bounds = { maxEntries: to.maxEntries, maxBytes: to.maxBytes }
    while (nodes.size > bounds.maxEntries || bytes > bounds.maxBytes) {
      const victim = leastWorth()
      if (victim === undefined) break
      evict(victim)
      floor = Math.max(floor, victim.rank)
    }
  }

  function stats(): MemoryStats {
    return { entries: nodes.size, bytes, ...bounds, ...counts, ghosts: structuredClone(ghosts.hits) }
  }

  return { get, look, set, delete: remove, has: (key: string) => nodes.has(key), sweep, resize, stats }
}

function sketchFor(maxEntries: number): Sketch {
  return createSketch(Math.min(maxEntries * COUNTED, MAX_COUNTED), maxEntries * WINDOW)
}
