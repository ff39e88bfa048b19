/** The other framings a request's answer may be remembered in, best first. */
import type { Form } from './convert.ts'
import type { Key, KeyParts, Keys } from './key.ts'

export type Sibling = { key: string; form: Form }

/**
 * @param form what the request wants
 * @returns nothing for a request whose query shapes the answer in other ways (`fields`, `prettyPrint`, `$alt`)
 */
export function siblings<T>(keys: Keys<T>, parts: KeyParts, key: Key, form: Form): Sibling[] {
  if (parts.dialect === 'native') return nativeSiblings(keys, parts, key, form)
  if (parts.dialect === 'openai' && parts.operation === 'chat.completions')
    return openaiSiblings(keys, parts, key, form)
  return []
}

const PLAIN = new Set(['', '?', '?alt=sse', '?alt=json', 'alt=sse', 'alt=json'])

function nativeSiblings<T>(keys: Keys<T>, parts: KeyParts, key: Key, form: Form): Sibling[] {
  const isGenerate = parts.operation === 'generateContent' || parts.operation === 'streamGenerateContent'
  const search = (parts.search ?? '').replace(/([?&])(?:key|access_token)=[^&]*&?/g, '$1').replace(/&$/, '')
  if (!isGenerate || !PLAIN.has(search)) return []
  const forms: Array<[framing: Form['framing'], operation: string, search: string]> = [
    ['unary', 'generateContent', ''],
    ['sse', 'streamGenerateContent', '?alt=sse'],
    ['array', 'streamGenerateContent', ''],
  ]
  return forms
    .filter(([framing]) => framing !== form.framing)
    .map(([framing, operation, other]) => ({
      key: keys.sibling({ ...parts, operation, search: other }, key),
      form: { dialect: 'native', framing },
    }))
}

const STREAM_WITH_USAGE = 'stream:true,stream_options:{"include_usage":true}'
const STREAM = 'stream:true'

function openaiSiblings<T>(keys: Keys<T>, parts: KeyParts, key: Key, form: Form): Sibling[] {
  const all: Array<[lifted: string, form: Form]> = [
    ['', { dialect: 'openai', framing: 'unary' }],
    [STREAM_WITH_USAGE, { dialect: 'openai', framing: 'sse', includeUsage: true }],
    [STREAM, { dialect: 'openai', framing: 'sse' }],
  ]
  return all
    .filter(([lifted, other]) => lifted !== key.lifted && (form.framing !== 'unary' || other.includeUsage))
    .map(([lifted, other]) => ({ key: keys.sibling(parts, key, lifted), form: other }))
}
