/**
 * A binary min-heap whose members know their place, so that any of them can be moved or removed in O(log n).
 */
export type Ranked = { rank: number; place: number }

export function createHeap<T extends Ranked>() {
  const items: T[] = []

  function put(item: T, at: number): void {
    items[at] = item
    item.place = at
  }

  function up(item: T, from: number): void {
    let at = from
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = items[above]!
      if (parent.rank <= item.rank) break
      put(parent, at)
      at = above
    }
    put(item, at)
  }

  function down(item: T, from: number): void {
    let at = from
    for (;;) {
      let below = at * 2 + 1
      if (below >= items.length) break
      if (below + 1 < items.length && items[below + 1]!.rank < items[below]!.rank) below++
      const child = items[below]!
      if (child.rank >= item.rank) break
      put(child, at)
      at = below
    }
    put(item, at)
  }

  /** Moves a member to where its rank now belongs. */
  function settle(item: T): void {
    const at = item.place
    up(item, at)
    if (item.place === at) down(item, at)
  }

  function push(item: T): void {
    up(item, items.length)
  }

  function remove(item: T): void {
    const last = items.pop()!
    if (last === item) return
    last.place = item.place
    items[last.place] = last
    settle(last)
  }

  return { push, remove, settle, least: (): T | undefined => items[0], size: () => items.length }
}
