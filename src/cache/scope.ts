/**
 * What a purge covers, and how every replica learns of it: each purge takes the next generation and is the floor of its
 * scope. An answer carries the generation its request began under; one below the floor of any of its scopes is dead, in
 * memory, on disk and in flight, before anything is deleted.
 */
import type { EntryHeader } from './entry.ts'

export type Scope =
  | { kind: 'all' }
  | { kind: 'tenant' | 'partition' | 'model' | 'tag' | 'interaction' | 'key'; value: string }

type Covered = Pick<EntryHeader, 'key' | 'partition' | 'tenant' | 'model' | 'interaction' | 'tags' | 'generation'>

export type Floor = { scope: Scope; generation: number }

export function scopeText(scope: Scope): string {
  return scope.kind === 'all' ? 'all' : `${scope.kind}:${scope.value}`
}

const KINDS = new Set(['tenant', 'partition', 'model', 'tag', 'interaction', 'key'])

/** The reverse of `scopeText`; undefined for a text that names no scope. */
export function parseScope(text: string): Scope | undefined {
  if (text === 'all') return { kind: 'all' }
  const colon = text.indexOf(':')
  const kind = text.slice(0, colon)
  if (!KINDS.has(kind)) return undefined
  // The set above is the union's list of kinds.
  return { kind: kind as Exclude<Scope['kind'], 'all'>, value: text.slice(colon + 1) }
}

/** Whether a scope names this answer, generations aside. */
export function covers(scope: Scope, header: Covered): boolean {
  switch (scope.kind) {
    case 'all':
      return true
    case 'tag':
      return header.tags.includes(scope.value)
    default:
      return header[scope.kind] === scope.value
  }
}

/** More purges than this within the life of an answer become one of everything. */
export const MAX_FLOORS = 10_000

/** The purges a replica knows of. */
export function createFloors() {
  const floors = new Map<string, number>()
  let highest = 0

  /** Learns of a purge; an older one of the same scope changes nothing. @returns whether it was news */
  function raise(scope: Scope, generation: number): boolean {
    const text = scopeText(scope)
    if ((floors.get(text) ?? 0) >= generation) return false
    floors.set(text, generation)
    highest = Math.max(highest, generation)
    if (floors.size > MAX_FLOORS) {
      floors.clear()
      floors.set('all', highest)
    }
    return true
  }

  function isPurged(header: Covered): boolean {
    const { generation } = header
    // Nearly always: nothing was purged since the answer was asked for.
    if (generation >= highest) return false
    const below = (text: string) => generation < (floors.get(text) ?? 0)
    return (
      below('all') ||
      below(`tenant:${header.tenant}`) ||
      below(`partition:${header.partition}`) ||
      below(`model:${header.model}`) ||
      below(`interaction:${header.interaction}`) ||
      below(`key:${header.key}`) ||
      header.tags.some((tag) => below(`tag:${tag}`))
    )
  }

  function list(): Floor[] {
    return [...floors].flatMap(([text, generation]) => {
      const scope = parseScope(text)
      return scope === undefined ? [] : [{ scope, generation }]
    })
  }

  return { raise, isPurged, list, generation: () => highest }
}

export type Floors = ReturnType<typeof createFloors>
