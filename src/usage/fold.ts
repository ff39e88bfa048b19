// Clients choose tags, interaction types and model names. Beyond a day's limit of combinations these fold into `other`.
import type { Dimensions } from './event.ts'

export interface Folder {
  /** The dimensions to book under at this day. */
  fold(dayMs: number, dimensions: Dimensions, key: string): Dimensions
  readonly folded: number
}

/** Keeps the combinations of one day at a time, at most `limit` of them. */
export function createFolder(limit: number): Folder {
  let today = Number.NaN
  let seen = new Set<string>()
  let folded = 0
  return {
    fold(dayMs, dimensions, key) {
      // A late event of another day is let through: the bound is against floods, which come today.
      if (!(dayMs <= today)) {
        today = dayMs
        seen = new Set()
      }
      if (dayMs < today || seen.has(key)) return dimensions
      if (seen.size < limit) {
        seen.add(key)
        return dimensions
      }
      folded += 1
      return { ...dimensions, tags: 'other', interaction: 'other', modelAsked: 'other' }
    },
    get folded() {
      return folded
    },
  }
}
