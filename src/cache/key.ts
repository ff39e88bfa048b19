/**
 * The exact cache's key: everything that determines an answer, and nothing else. Parts are joined with their lengths,
 * so no part can pretend to be two (`a` + `b:c` is not `a:b` + `c`), and hashed with a secret, so a key tells
 * nobody what was asked.
 */
import { hash } from 'node:crypto'
import { type Canonical, canonical } from './canonical.ts'
import { createLru } from './lru.ts'

/** What of a request decides its answer, besides the body. Absent and '' are one. */
export type KeyParts = {
  /** Whose memory: from the caller's key, client, tags, or one for all, by `cache.scope`. */
  partition: string
  /** `native`, `openai` or `interactions`. */
  dialect: string
  apiVersion: string
  /** `generateContent`, `streamGenerateContent`, `chat.completions`, … */
  operation: string
  model: string
  /** What else the path says: Vertex' project and location. */
  resource?: string
  /** The query as it goes to Gemini, with or without its `?`. Credentials in it are left out here. */
  search?: string
  apiRevision?: string
  serviceTier?: string
  /** `x-castor-context`, parsed. */
  context?: Readonly<Record<string, string>>
  interaction?: string
  /** Names the trimming settings in force, '' when the body goes up untouched. */
  trimming?: string
}

export type Key = {
  /** 43 characters base64url; names the answer in every store. */
  key: string
  /** SHA-256 of the canonical body, for `siblings`. */
  body: string
  /** The fields of an OpenAI body that choose the answer's framing. */
  lifted: string
}

export type KeyResult<T> = { key: Key; note: T; seen: boolean } | { refused: (Canonical & { ok: false })['reason'] }

/** They say who asks; the partition says that already, and an OAuth token changes every hour. */
const CREDENTIALS = new Set(['key', 'access_token', 'oauth_token'])

/** Longer descriptions (a client may send kilobytes of context) are kept as their hash. */
const LONGEST_KEPT = 1024

/** Bodies past this are not canonicalised: equal bytes find each other, two spellings do not. */
const LARGEST_CANONICAL = 4 * 1024 * 1024

/**
 * @param options.secret makes keys meaningless outside this installation; replicas that share a store share it
 * @param options.maxSeen how many raw bodies are remembered with their key
 */
export function createKeys<T>(options: { secret: string | Uint8Array; maxSeen?: number; maxCanonicalBytes?: number }) {
  const seen = createLru<string, { key: Key; note: T }>(options.maxSeen ?? 20_000)
  const largest = options.maxCanonicalBytes ?? LARGEST_CANONICAL
  // Hashed to one length, so that no secret can run into what follows it.
  const secret = hash('sha256', options.secret, 'hex')

  /**
   * The key of a request. A body seen before, byte for byte and with the same parts, is found by its hash and never parsed.
   * @param note what the caller learns from reading the body (its cache policy, say) and wants back on every repeat;
   *   called once per body, only when the key could be made
   */
  function keyOf(parts: KeyParts, body: Uint8Array, note: () => T): KeyResult<T> {
    const described = describe(parts)
    const raw = hash('sha256', body, 'base64url')
    const id = raw + (described.length > LONGEST_KEPT ? hash('sha256', described, 'base64url') : described)
    const known = seen.get(id)
    if (known !== undefined) return { key: known.key, note: known.note, seen: true }

    const form: Canonical =
      body.length > largest ? { ok: true, text: '', lifted: '' } : canonical(body, parts.operation, parts.model)
    if (!form.ok) return { refused: form.reason }
    const digest = body.length > largest ? `raw:${raw}` : hash('sha256', form.text, 'base64url')
    const key = { key: seal(described, digest, form.lifted), body: digest, lifted: form.lifted }
    const entry = { key, note: note() }
    // The framing fields hold whatever a client puts there.
    if (form.lifted.length <= LONGEST_KEPT) seen.set(id, entry)
    return { ...entry, seen: false }
  }

  /** The key the same question would have, asked in another framing. */
  function sibling(parts: KeyParts, key: Key, lifted = key.lifted): string {
    return seal(describe(parts), key.body, lifted)
  }

  function seal(described: string, digest: string, lifted: string): string {
    // The secret on both sides makes it a keyed hash (RFC 2104 §1, the envelope form); one call of the one-shot hash costs a fifth of an
    // Hmac object, and a miss makes several.
    return hash('sha256', secret + joined([described, digest, lifted]) + secret, 'base64url')
  }

  return { keyOf, sibling, clear: seen.clear, size: seen.size }
}

export type Keys<T> = ReturnType<typeof createKeys<T>>

/** Joins texts so that different lists never give the same text: each is led by its length. */
export function joined(texts: readonly string[]): string {
  let all = ''
  for (const text of texts) all += `${text.length}:${text}`
  return all
}

/** Everything of the key but the body, as one text that only these parts give. */
function describe(parts: KeyParts): string {
  return joined([
    parts.partition,
    parts.dialect,
    parts.apiVersion,
    parts.operation,
    bare(parts.model),
    parts.resource ?? '',
    query(parts.search ?? ''),
    parts.apiRevision ?? '',
    parts.serviceTier ?? '',
    parts.context === undefined ? '' : pairs(Object.entries(parts.context)),
    parts.interaction ?? '',
    parts.trimming ?? '',
  ])
}

/** `%24alt` and `$alt` are one name, and the order of different names means nothing. */
function query(search: string): string {
  const text = search.startsWith('?') ? search.slice(1) : search
  if (text === '') return ''
  const all = text.split('&').flatMap((pair): Array<[string, string]> => {
    const equals = pair.indexOf('=')
    const name = decoded(equals === -1 ? pair : pair.slice(0, equals))
    return pair === '' || CREDENTIALS.has(name) ? [] : [[name, equals === -1 ? '' : decoded(pair.slice(equals + 1))]]
  })
  return pairs(all)
}

function decoded(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}

/** Pairs by name; equal names keep their order, in which a repeated parameter has its meaning. */
function pairs(list: ReadonlyArray<readonly [string, string]>): string {
  if (list.length === 0) return ''
  const sorted = list.length === 1 ? list : list.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return joined(sorted.flat())
}

function bare(model: string): string {
  return model.startsWith('models/') ? model.slice('models/'.length) : model
}
