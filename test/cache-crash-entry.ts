import type { Entry } from '../src/cache/entry.ts'
import { entryOf } from './cache-entries.ts'

/** An entry whose body can be told from its key; some keys are written again and again with another body. */
export function crashEntry(batch: number, at: number): Entry {
  const key = at < 5 ? `again-${at}` : `once-${batch}-${at}`
  return entryOf(key, {
    body: `${key}|${batch}|`.repeat(50 + ((batch * 37 + at * 101) % 400)),
    staleUntil: Number.MAX_SAFE_INTEGER,
  })
}

/** Whether a body is exactly one that `crashEntry` made for this key. */
export function isWhole(key: string, body: string): boolean {
  const [name = '', batch = ''] = body.split('|', 2)
  const at = Number(key.split('-').at(-1))
  return name === key && body === crashEntry(Number(batch), at).body.toString()
}
