// Events on their way to the store, kept in a file so that a kill between two commits loses none of them.
// Two segments take turns: when both are full the older one is dropped, and what it held is counted.
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'

export interface Journal {
  /** Appends one line, synchronously, so that it outlives the process. false when the disk refused it. */
  append(line: string): boolean
  /** Everything appended and not cleared, oldest first. A torn last line is left out: it was never acknowledged. */
  read(): string[]
  /** Forgets everything; called when the store has committed it. */
  clear(): void
  readonly bytes: number
  /** Lines lost because both segments were full. */
  readonly dropped: number
  close(): void
}

/** Opens `<path>.0` and `<path>.1`, together bounded by `maxBytes`; both are created with mode 0600. */
export function openJournal(path: string, maxBytes: number): Journal {
  const names = [`${path}.0`, `${path}.1`] as const
  const files = names.map((name) => openSync(name, 'a', 0o600))
  const contents = names.map((name, at) => wholeLines(name, files[at] ?? -1))
  const sizes = contents.map((text) => Buffer.byteLength(text))
  const lines = contents.map(countLines)
  // The first line of a segment is its turn, so that a restart knows which of the two is the older.
  let turn = Math.max(...contents.map((text) => Number.parseInt(text, 10) || 0))
  let current = contents.findIndex((text) => (Number.parseInt(text, 10) || 0) === turn && text !== '')
  if (current < 0) current = 0
  let dropped = 0

  function empty(segment: number): void {
    ftruncateSync(files[segment] ?? -1, 0)
    sizes[segment] = 0
    lines[segment] = 0
  }

  function write(text: string): void {
    const bytes = writeSync(files[current] ?? -1, text)
    sizes[current] = (sizes[current] ?? 0) + bytes
    lines[current] = (lines[current] ?? 0) + 1
  }

  function append(line: string): boolean {
    try {
      if ((sizes[current] ?? 0) + line.length > maxBytes / 2 && (lines[current] ?? 0) > 1) {
        current = 1 - current
        dropped += Math.max(0, (lines[current] ?? 0) - 1)
        empty(current)
      }
      if (sizes[current] === 0) {
        turn += 1
        write(`${turn}\n`)
      }
      write(`${line}\n`)
      return true
    } catch {
      // A full or broken disk must not fail the call that is being booked; the ledger keeps the event in memory and counts.
      return false
    }
  }

  function read(): string[] {
    const found: { turn: number; lines: string[] }[] = []
    for (const name of names) {
      const text = readFileSync(name, 'utf8')
      const end = text.lastIndexOf('\n')
      if (end <= 0) continue
      const [head = '0', ...rest] = text.slice(0, end).split('\n')
      found.push({ turn: Number.parseInt(head, 10) || 0, lines: rest })
    }
    return found.sort((a, b) => a.turn - b.turn).flatMap((segment) => segment.lines)
  }

  return {
    append,
    read,
    clear() {
      empty(0)
      empty(1)
    },
    get bytes() {
      return (sizes[0] ?? 0) + (sizes[1] ?? 0)
    },
    get dropped() {
      return dropped
    },
    close() {
      for (const file of files) closeSync(file)
    },
  }
}

/** The content of a segment, cut behind its last line break: what follows was being written when the process died. */
function wholeLines(name: string, file: number): string {
  const text = readFileSync(name, 'utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  if (whole.length < text.length) ftruncateSync(file, Buffer.byteLength(whole))
  return whole
}

function countLines(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count += 1
  return count
}
