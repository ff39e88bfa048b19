/**
 * How often a key was asked for lately, in constant space: a count-min sketch whose counters are halved once in a window
 * (TinyLFU, Einziger et al. 2017), so that last week's favourite does not outlive its time.
 */
export type Sketch = ReturnType<typeof createSketch>

const ROWS = 4

/**
 * @param capacity about how many keys are to be told apart
 * @param window requests between two halvings
 */
export function createSketch(capacity: number, window = capacity * 10) {
  let width = 16
  while (width < capacity) width *= 2
  const mask = width - 1
  const counters = new Uint8Array(width * ROWS)

  let added = 0

  /** Counts one request. @param print from `fingerprint` */
  function add(print: number): void {
    for (let row = 0; row < ROWS; row++) {
      const at = row * width + (spread(print, row) & mask)
      if (counters[at]! < 255) counters[at]!++
    }
    if (++added >= window) {
      added = 0
      for (let at = 0; at < counters.length; at++) counters[at]! >>= 1
    }
  }

  /** An estimate that is never too low within the current window. */
  function estimate(print: number): number {
    let least = 255
    for (let row = 0; row < ROWS; row++) least = Math.min(least, counters[row * width + (spread(print, row) & mask)]!)
    return least
  }

  return { add, estimate }
}

/** 32 bits of a key (FNV-1a); keys are hashes already, so any of their characters would do. */
export function fingerprint(key: string): number {
  let print = 0x811c9dc5
  const end = Math.min(key.length, 16)
  for (let at = 0; at < end; at++) print = Math.imul(print ^ key.charCodeAt(at), 0x01000193)
  return print >>> 0
}

function spread(print: number, row: number): number {
  let mixed = Math.imul(print ^ (row * 0x9e3779b9), 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
