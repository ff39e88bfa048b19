// A token bucket: `perMinute` units a minute, at most a minute's worth saved up.

export interface Bucket {
  /** ms until `units` may be taken; 0: now. More than a whole minute's worth may be taken from a full bucket. */
  wait(units: number, nowMs: number): number
  /** Takes units; the bucket may go below zero, which the next ones wait for. A negative number gives back. */
  take(units: number, nowMs: number): void
  level(nowMs: number): number
}

export function createBucket(perMinute: number, nowMs: number): Bucket {
  const perMs = perMinute / 60_000
  let level = perMinute
  let filledMs = nowMs

  function fill(now: number): void {
    if (now <= filledMs) return
    level = Math.min(perMinute, level + (now - filledMs) * perMs)
    filledMs = now
  }

  return {
    wait(units, now) {
      fill(now)
      const missing = Math.min(units, perMinute) - level
      // What the refill's rounding leaves open is no reason to wait.
      return missing <= 1e-6 ? 0 : Math.ceil(missing / perMs)
    },
    take(units, now) {
      fill(now)
      level = Math.min(perMinute, level - units)
    },
    level(now) {
      fill(now)
      return level
    },
  }
}
