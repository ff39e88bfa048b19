import { type Document, isAlias, isMap, isScalar, isSeq, type Node } from 'yaml'
import type { Scalar } from './kinds.ts'

/** What stands in the file, free of YAML: a scalar, a list or a map, each with its offset in the text. */
export type Given =
  | { offset: number; scalar: Scalar | null }
  | { offset: number; items: Given[] }
  | { offset: number; entries: Map<string, Entry> }

/** One `name: value`; the offset is the name's. */
export interface Entry {
  offset: number
  value: Given
}

/** Told what is wrong: `path` is the setting, `offset` the place in the text (undefined: not in the file). */
export type Complain = (path: string, offset: number | undefined, message: string, fix: string) => void

// A handful of aliases that refer to one another can unfold to gigabytes ("billion laughs").
const mostAliases = 100

/**
 * The content of a document as a tree, aliases resolved; undefined for an empty one. Duplicate names (the first counts)
 * and too many aliases are complained of. The work is bounded by `mostAliases` times the size of the document.
 */
export function asTree(document: Document, complain: Complain, lineOf: (offset: number) => number): Given | undefined {
  let aliases = 0
  return document.contents === null ? undefined : convert(document.contents, '')

  function convert(node: Node, path: string): Given {
    const offset = node.range?.[0] ?? 0
    if (isAlias(node)) {
      aliases++
      if (aliases === mostAliases + 1) complain(path, offset, 'is one alias too many', 'write the values out instead')
      if (aliases > mostAliases) return { offset, scalar: null }
      const target = node.resolve(document)
      if (target !== undefined) return { ...convert(target, path), offset }
      complain(path, offset, 'refers to an anchor that does not exist', 'define it with &name before *name')
      return { offset, scalar: null }
    }
    if (isSeq<Node>(node)) {
      return { offset, items: node.items.map((item, index) => convert(item, `${path}[${index}]`)) }
    }
    if (isMap<Node, Node | null>(node)) {
      const entries = new Map<string, Entry>()
      for (const { key, value } of node.items) {
        const name = isScalar(key) ? String(key.value) : ''
        const at = key.range?.[0] ?? offset
        const earlier = entries.get(name)
        const inner = join(path, name)
        if (earlier) {
          complain(inner, at, `is set twice, first in line ${lineOf(earlier.offset)}`, 'keep one of the two')
        } else {
          entries.set(name, { offset: at, value: value ? convert(value, inner) : { offset: at, scalar: null } })
        }
      }
      return { offset, entries }
    }
    // Without further tags the core schema yields texts, numbers, booleans and null only.
    return { offset, scalar: isScalar(node) ? (node.value as Scalar | null) : null }
  }
}

/** The path of a setting within a section: `server` + `port` = `server.port`. */
export function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
