/**
 * Each tenant's share of the memory. A tenant over its share loses its own least useful answer, judged among a sample
 * (as Redis does: a heap for every tenant would cost more than it decides).
 */
export type Quota = { maxEntries?: number; maxBytes?: number }

type Held = { bytes: number; rank: number }
type Share<T> = { bytes: number; held: Set<T> }

const SAMPLE = 16

export function createQuotas<T extends Held>(quotaOf?: (tenant: string) => Quota | undefined) {
  const shares = new Map<string, Share<T>>()

  /**
   * What must go before the tenant may hold `bytes` more.
   * @returns a victim, `full` if the answer alone exceeds the share, undefined when there is room
   */
  function over(tenant: string, bytes: number): T | 'full' | undefined {
    const quota = quotaOf?.(tenant)
    if (quota === undefined) return undefined
    const { maxEntries = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = quota
    if (bytes > maxBytes || maxEntries < 1) return 'full'
    const share = shares.get(tenant)
    if (share === undefined || (share.held.size + 1 <= maxEntries && share.bytes + bytes <= maxBytes)) return undefined
    return leastOf(share.held)
  }

  function leastOf(held: Set<T>): T | undefined {
    let least: T | undefined
    let looked = 0
    for (const item of held) {
      if (least === undefined || item.rank < least.rank) least = item
      if (++looked === SAMPLE) break
    }
    return least
  }

  function add(tenant: string, item: T): void {
    if (quotaOf === undefined) return
    let share = shares.get(tenant)
    if (share === undefined) {
      share = { bytes: 0, held: new Set() }
      shares.set(tenant, share)
    }
    share.held.add(item)
    share.bytes += item.bytes
  }

  function remove(tenant: string, item: T): void {
    const share = shares.get(tenant)
    if (share === undefined || !share.held.delete(item)) return
    share.bytes -= item.bytes
    if (share.held.size === 0) shares.delete(tenant)
  }

  return { over, add, remove }
}
