import { type Document, isMap, isScalar, isSeq, type Node, stringify, type YAMLSeq } from 'yaml'
import { parseFile } from './document.ts'
import { breach } from './limit.ts'
import { quote } from './problem.ts'
import { client as clientSchema } from './sections/auth.ts'

/** A client as it is written into the file. `upstreamKey` is usually a reference such as `${CRM_GEMINI_KEY}`. */
export interface NewClient {
  name: string
  keyHash: string
  upstreamKey?: string
}

/**
 * The text of a settings file with one more entry under `clients`; every other character stays as it is, comments too.
 * Throws RangeError when the name is not allowed or taken, or when the file cannot be added to safely (broken YAML,
 * `clients` written as a filled `[…]` on one line): a person then adds the entry.
 */
export function addClient(text: string, client: NewClient): string {
  const { document, problems } = parseFile(text)
  const root = document.contents
  if (problems.length > 0 || (root !== null && !isMap<Node, Node | null>(root))) throw refusal('it is not valid')
  const reason = breach(clientSchema.properties.name, client.name)
  if (reason !== undefined) throw new RangeError(`${quote(client.name)} ${reason}`)
  const names = clientNames(document)
  if (names.includes(client.name)) throw new RangeError(`there is already a client called ${client.name}`)

  const pair = root?.items.find(({ key }) => isScalar(key) && key.value === 'clients')
  const result = pair === undefined ? append(text, client) : insert(text, pair.key, pair.value, client)
  const written = clientNames(parseFile(result).document)
  if (written.at(-1) !== client.name || written.length !== names.length + 1) throw refusal('its layout is unusual')
  return result
}

function clientNames(document: Document): unknown[] {
  const list = document.get('clients')
  return isSeq(list) ? list.items.map((_, index) => document.getIn(['clients', index, 'name'])) : []
}

function append(text: string, client: NewClient): string {
  const eol = lineEnd(text)
  const gap = text === '' ? '' : text.endsWith('\n') ? eol : eol + eol
  return `${text}${gap}clients:${eol}${entry(client, 2, eol)}`
}

function insert(text: string, key: Node, value: Node | null, client: NewClient): string {
  const eol = lineEnd(text)
  const isEmptyList = isSeq(value) && value.items.length === 0
  if (value === null || isEmptyList || (isScalar(value) && value.value === null)) {
    const keyEnd = key.range?.[1] ?? 0
    const [start, end] = isEmptyList && value.range ? [value.range[0], value.range[1]] : [keyEnd, keyEnd]
    const without = text.slice(0, start).replace(/ +$/, isEmptyList ? '' : '$&') + text.slice(end)
    return splice(without, keyEnd, entry(client, 2, eol), eol)
  }
  if (!isSeq<Node>(value) || value.flow) throw refusal('`clients` is not a list with one entry per line')
  const dash = value.range?.[0] ?? 0
  const indent = dash - (text.lastIndexOf('\n', dash - 1) + 1)
  return splice(text, lastOffset(value), entry(client, indent, eol), eol)
}

/** The end of the last entry's own text, before the comments that follow it. */
function lastOffset(list: YAMLSeq<Node>): number {
  return list.items.at(-1)?.range?.[1] ?? list.range?.[1] ?? 0
}

/** Puts whole lines behind the line in which `offset` lies. */
function splice(text: string, offset: number, lines: string, eol: string): string {
  if (offset > 0 && text[offset - 1] === '\n') return text.slice(0, offset) + lines + text.slice(offset)
  const end = text.indexOf('\n', offset)
  return end < 0 ? text + eol + lines : text.slice(0, end + 1) + lines + text.slice(end + 1)
}

function entry(client: NewClient, indent: number, eol: string): string {
  const { name, keyHash, upstreamKey } = client
  const lines = stringify([{ name, keyHash, ...(upstreamKey === undefined ? {} : { upstreamKey }) }], { lineWidth: 0 })
  return lines.replace(/^(?=.)/gm, ' '.repeat(indent)).replaceAll('\n', eol)
}

function lineEnd(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n'
}

function refusal(reason: string): RangeError {
  return new RangeError(`the file cannot be added to: ${reason}`)
}
