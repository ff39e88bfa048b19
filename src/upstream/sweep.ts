import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes of request bodies that may pass between two sweeps. */
const sweepBytes = 8 * 1024 * 1024

/**
 * Keeps large uploads from filling the memory with what they leave behind. Node hands out each piece of a body as a buffer of its own,
 * and V8, which sees only the small object and not the 64 KB behind it, lets some 60 MB of spent ones gather before it collects. A collection
 * of the young generation every 8 MB keeps it at 8, at the same speed (bench/README.md).
 * @returns told of each piece's length; calls of all uploads share one
 */
export function createSweep(): (bytes: number) => void {
  let collect: ((options: { type: 'minor' }) => void) | null = null
  let passed = 0
  return (bytes) => {
    passed += bytes
    if (passed < sweepBytes) return
    passed = 0
    collect ??= collector()
    collect({ type: 'minor' })
  }
}

/** V8 gives its `gc` to contexts made after this flag is set: to this one only, no other code sees it. */
function collector(): (options: { type: 'minor' }) => void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('globalThis.gc')
  setFlagsFromString('--no-expose-gc')
  // A Node without it is a little larger during uploads, nothing else.
  return typeof collect === 'function' ? (collect as (options: { type: 'minor' }) => void) : () => {}
}
