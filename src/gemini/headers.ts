/**
 * Which request headers go up, and which response headers come down. Both lists are explicit: what is not named on the way up
 * stays here; what is named on the way down is dropped.
 */

/** What becomes of a client's header on its way to Gemini. */
export type RequestHeaderRule = 'pass' | 'drop' | 'api-key' | 'authorization' | 'connection'

/**
 * Exact names that pass. `referer`, `origin` and the package headers are what Google's key restrictions check. `cache-control` is not
 * among them: it speaks to our own cache and means nothing to Gemini.
 */
const passed = new Set([
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'api-revision',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-md5',
  'content-range',
  'content-type',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-event-id',
  'origin',
  'priority',
  'range',
  'referer',
  'slug',
  'user-agent',
  'x-android-cert',
  'x-android-package',
  'x-ios-bundle-identifier',
  'x-http-method-override',
  'x-requested-with',
  'x-server-timeout',
  'x-upload-content-length',
  'x-upload-content-type',
])

/** Families of headers that Google reads or that its SDKs send; new members of a family need no new release of ours. */
const passedFamilies = [
  'access-control-request-',
  'openai-',
  'sec-fetch-',
  'x-firebase-',
  'x-gemini-',
  'x-goog-',
  'x-google-',
  'x-stainless-',
  'x-vertex-ai-',
]

const remembered = new Map<string, RequestHeaderRule>()

/** Rule for a request header by its name as sent. The table of names seen is bounded, so the answer costs one lookup. */
export function requestHeaderRule(name: string): RequestHeaderRule {
  const known = remembered.get(name)
  if (known !== undefined) return known
  const rule = decide(name.toLowerCase())
  if (remembered.size >= 1_000) remembered.clear()
  remembered.set(name, rule)
  return rule
}

function decide(name: string): RequestHeaderRule {
  if (name === 'x-goog-api-key') return 'api-key'
  if (name === 'authorization') return 'authorization'
  if (name === 'connection') return 'connection'
  return passed.has(name) || passedFamilies.some((family) => name.startsWith(family)) ? 'pass' : 'drop'
}

export interface OutgoingCredentials {
  /** key for `x-goog-api-key`; null leaves what the client sent */
  apiKey: string | null
  /** whole value for `Authorization`; null leaves what the client sent */
  authorization: string | null
  /** take the client's own credential out (it is a key of the gateway, which Gemini must never see) */
  strip: { apiKey: boolean; authorization: boolean }
}

/**
 * Builds the upstream's header list from the client's raw one: order, case and duplicates of what passes stay as sent.
 * `host` and the length of the body are the HTTP client's to set.
 * @param raw `IncomingMessage.rawHeaders`: name, value, name, value …
 * @returns a flat list in the same form
 */
export function upstreamHeaders(raw: readonly string[], credentials: OutgoingCredentials): string[] {
  const out: string[] = []
  let named: Set<string> | null = null
  let authorized = false
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string
    const value = raw[index + 1] as string
    switch (requestHeaderRule(name)) {
      case 'pass':
        out.push(name, value)
        break
      case 'api-key':
        if (!credentials.strip.apiKey && credentials.apiKey === null) out.push(name, value)
        break
      case 'authorization':
        // Node shows the first of several alone, so that is the one that was judged.
        if (!authorized && !credentials.strip.authorization && credentials.authorization === null) out.push(name, value)
        authorized = true
        break
      case 'connection':
        if (!/^(?:keep-alive|close|upgrade)$/i.test(value)) named = connectionNames(value, named)
    }
  }
  // RFC 9110 §7.6.1: headers that Connection names end here. Credentials are added afterwards, so it cannot remove them.
  const list = named === null ? out : withoutNames(out, named)
  if (credentials.apiKey !== null) list.push('x-goog-api-key', credentials.apiKey)
  if (credentials.authorization !== null) list.push('authorization', credentials.authorization)
  return list
}

function connectionNames(value: string, names: Set<string> | null): Set<string> {
  const all = names ?? new Set<string>()
  for (const name of value.split(',')) all.add(name.trim().toLowerCase())
  return all
}

function withoutNames(list: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let index = 0; index < list.length; index += 2) {
    const name = list[index] as string
    if (!names.has(name.toLowerCase())) kept.push(name, list[index + 1] as string)
  }
  return kept
}

/**
 * Response headers that never reach a client: hop-by-hop ones (RFC 9110 §7.6.1), `alt-svc` (it advertises Google's own HTTP/3 endpoint
 * and so a way past us), `set-cookie` (httpx would send it back for ever), and request headers that Google's download redirect
 * echoes, the key among them.
 */
const droppedFromAnswers = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'alt-svc',
  'set-cookie',
  'set-cookie2',
  'x-goog-api-key',
  'authorization',
  'cookie',
  'host',
  'user-agent',
  'accept',
  'accept-encoding',
  'accept-language',
  'x-goog-api-client',
  'x-goog-user-project',
])

const answerRules = new Map<string, boolean>()

/** Whether a response header goes on to the client; one lookup per header of a known name. */
export function passesToClient(name: string): boolean {
  const known = answerRules.get(name)
  if (known !== undefined) return known
  const passes = !droppedFromAnswers.has(name.toLowerCase())
  if (answerRules.size >= 1_000) answerRules.clear()
  answerRules.set(name, passes)
  return passes
}

/** Value of a header in a flat list; the first one where it is repeated. @param wanted its name in lower case */
export function headerValue(list: readonly string[], wanted: string): string | undefined {
  for (let index = 0; index < list.length; index += 2) {
    const name = list[index] as string
    // Comparing the length first spares most names the lower-casing.
    if (name.length === wanted.length && name.toLowerCase() === wanted) return list[index + 1] as string
  }
  return undefined
}
