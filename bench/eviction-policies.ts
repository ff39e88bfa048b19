/** The ways to choose what goes that bench/eviction.ts compares. Each is bounded by entries or by bytes. */
import type { Entry } from '../src/cache/entry.ts'
import { createHeap, type Ranked } from '../src/cache/heap.ts'
import { createMemory } from '../src/cache/memory.ts'
import { createSketch, fingerprint } from '../src/cache/sketch.ts'
import type { Item } from './eviction-trace.ts'

/** `size` counts an answer against `capacity`: 1, or its bytes. */
export type Bounds = { capacity: number; size: (item: Item) => number; inBytes: boolean; expectedEntries: number }

/** Asks for an item; a miss offers it to the cache. @returns whether it was there */
export type Ask = (item: Item) => boolean
export type Policy = (bounds: Bounds) => Ask

/** Insertion order of a Map with a total of sizes: what all list-based policies are made of. */
function createList(bounds: Bounds) {
  const map = new Map<string, Item>()
  let used = 0
  return {
    has: (key: string) => map.has(key),
    add(item: Item): void {
      map.set(item.key, item)
      used += bounds.size(item)
    },
    remove(key: string): Item | undefined {
      const item = map.get(key)
      if (item === undefined) return undefined
      map.delete(key)
      used -= bounds.size(item)
      return item
    },
    oldest: (): Item => map.values().next().value as Item,
    used: () => used,
    count: () => map.size,
  }
}

export const lru: Policy = (bounds) => {
  const list = createList(bounds)
  return (item) => {
    const isHit = list.remove(item.key) !== undefined
    list.add(item)
    while (list.used() > bounds.capacity) list.remove(list.oldest().key)
    return isHit
  }
}

/** Counts since an entry came in, the least counted goes. */
export const lfu: Policy = (bounds) => {
  type Counted = Ranked & { item: Item }
  const heap = createHeap<Counted>()
  const map = new Map<string, Counted>()
  let used = 0
  return (item) => {
    const held = map.get(item.key)
    if (held !== undefined) {
      held.rank++
      heap.settle(held)
      return true
    }
    while (used + bounds.size(item) > bounds.capacity) {
      const victim = heap.least()
      if (victim === undefined) return false
      heap.remove(victim)
      map.delete(victim.item.key)
      used -= bounds.size(victim.item)
    }
    const added = { item, rank: 1, place: -1 }
    map.set(item.key, added)
    heap.push(added)
    used += bounds.size(item)
    return false
  }
}

/** Yang et al., SOSP 2023: a small queue of newcomers, a main queue with second chances, a memory of who left early. */
export const s3fifo: Policy = (bounds) => {
  const small = createList(bounds)
  const main = createList(bounds)
  const ghost = createList({ ...bounds, size: () => 1 })
  const uses = new Map<string, number>()

  function shrink(): void {
    while (small.used() + main.used() > bounds.capacity) {
      if (small.used() > bounds.capacity / 10 || main.count() === 0) demote()
      else evictMain()
    }
  }

  function demote(): void {
    const item = small.oldest()
    small.remove(item.key)
    if ((uses.get(item.key) ?? 0) > 1) {
      uses.set(item.key, 0)
      main.add(item)
      return
    }
    uses.delete(item.key)
    ghost.add(item)
    while (ghost.count() > Math.max(1, main.count())) ghost.remove(ghost.oldest().key)
  }

  function evictMain(): void {
    const item = main.oldest()
    main.remove(item.key)
    const left = uses.get(item.key) ?? 0
    if (left === 0) {
      uses.delete(item.key)
      return
    }
    uses.set(item.key, left - 1)
    main.add(item)
  }

  return (item) => {
    if (small.has(item.key) || main.has(item.key)) {
      uses.set(item.key, Math.min(3, (uses.get(item.key) ?? 0) + 1))
      return true
    }
    if (bounds.size(item) > bounds.capacity) return false
    uses.set(item.key, 0)
    if (ghost.remove(item.key) !== undefined) main.add(item)
    else small.add(item)
    shrink()
    return false
  }
}

/** Einziger et al. 2017: a window of 1 %, a segmented LRU behind a frequency filter. */
export const wTinyLfu: Policy = (bounds) => {
  const sketch = createSketch(bounds.expectedEntries)
  const frequency = (item: Item) => sketch.estimate(fingerprint(item.key))
  const window = createList(bounds)
  const probation = createList(bounds)
  const safe = createList(bounds)
  const windowSize = Math.max(bounds.capacity / 100, bounds.inBytes ? 40_000 : 1)
  const mainSize = bounds.capacity - windowSize

  function admit(candidate: Item): void {
    const needed = bounds.size(candidate)
    if (needed > mainSize) return
    while (probation.used() + safe.used() + needed > mainSize) {
      const from = probation.count() > 0 ? probation : safe
      const victim = from.oldest()
      if (frequency(candidate) <= frequency(victim)) return
      from.remove(victim.key)
    }
    probation.add(candidate)
  }

  return (item) => {
    sketch.add(fingerprint(item.key))
    if (window.remove(item.key) !== undefined) {
      window.add(item)
      return true
    }
    if (safe.remove(item.key) !== undefined) {
      safe.add(item)
      return true
    }
    if (probation.remove(item.key) !== undefined) {
      safe.add(item)
      while (safe.used() > mainSize * 0.8) probation.add(safe.remove(safe.oldest().key) as Item)
      return true
    }
    window.add(item)
    while (window.used() > windowSize) admit(window.remove(window.oldest().key) as Item)
    return false
  }
}

/** Plain GreedyDual-Size-Frequency, as published: counts since an entry came in, everybody is admitted. */
export const gdsf: Policy = (bounds) => {
  type Valued = Ranked & { item: Item; uses: number }
  const heap = createHeap<Valued>()
  const map = new Map<string, Valued>()
  let used = 0
  let floor = 0
  const rankOf = ({ item, uses }: Valued) => floor + (uses * item.costUsd) / bounds.size(item)
  return (item) => {
    const held = map.get(item.key)
    if (held !== undefined) {
      held.uses++
      held.rank = rankOf(held)
      heap.settle(held)
      return true
    }
    while (used + bounds.size(item) > bounds.capacity) {
      const victim = heap.least()
      if (victim === undefined) return false
      heap.remove(victim)
      map.delete(victim.item.key)
      used -= bounds.size(victim.item)
      floor = victim.rank
    }
    const added: Valued = { item, uses: 1, rank: 0, place: -1 }
    added.rank = rankOf(added)
    map.set(item.key, added)
    heap.push(added)
    used += bounds.size(item)
    return false
  }
}

/** The product's own memory: src/cache/memory.ts, not a copy of it. */
export const castor: Policy = (bounds) => {
  const memory = createMemory({
    maxEntries: bounds.inBytes ? bounds.expectedEntries * 100 : bounds.capacity,
    maxBytes: bounds.inBytes ? bounds.capacity : Number.MAX_SAFE_INTEGER,
    now: () => 0,
  })
  return (item) => {
    if (memory.get(item.key) !== undefined) return true
    memory.set(item.key, entryOf(item))
    return false
  }
}

const HEADER = {
  status: 200,
  contentType: '',
  framing: 'unary' as const,
  dialect: 'native',
  operation: '',
  model: '',
  headers: [],
  createdAt: 0,
  ttlMs: Number.MAX_SAFE_INTEGER,
  staleUntil: Number.MAX_SAFE_INTEGER,
  latencyMs: 0,
  usage: undefined,
  partition: '',
  tenant: '',
  interaction: '',
  tags: [],
  generation: 0,
}

function entryOf(item: Item): Entry {
  const header = { ...HEADER, key: item.key, costUsd: item.costUsd }
  return { header, body: Buffer.allocUnsafeSlow(item.bytes), chunks: undefined }
}
