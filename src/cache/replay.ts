/** Plays a remembered answer back: at once, or with the pauses it once had. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Entry } from './entry.ts'

/** Silences longer than this are cut: a thinking pause is no part of an answer. */
const LONGEST_PAUSE_MS = 1000

/**
 * The recorded chunks, as they were cut.
 * @param speed 0 sends without pauses, 1 as recorded, 2 twice as fast
 * @param signal ends the replay when the client has left
 */
export async function* replay(entry: Entry, speed = 0, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const { body, chunks } = entry
  if (chunks === undefined) {
    yield body
    return
  }
  let from = 0
  let clock = 0
  for (let index = 0; index < chunks.length; index += 2) {
    const end = chunks[index] ?? body.length
    const at = chunks[index + 1] ?? clock
    if (speed > 0 && at > clock) await pause(Math.min((at - clock) / speed, LONGEST_PAUSE_MS), undefined, { signal })
    clock = at
    yield body.subarray(from, end)
    from = end
  }
}
