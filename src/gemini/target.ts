import { apiVersion, modelCollections, routeTemplate } from './route.ts'

/** What kind of traffic a request is; decides which route of the gateway takes it. */
export type Traffic = 'model' | 'live' | 'other'

/** Which of Gemini's three request languages a model call speaks. */
export type Dialect = 'native' | 'openai' | 'interactions'

/** The model calls that pass every plugin. Everything else is passed through. */
export type Operation =
  | 'generateContent'
  | 'streamGenerateContent'
  | 'embedContent'
  | 'batchEmbedContents'
  | 'countTokens'
  | 'chat.completions'
  | 'embeddings'
  | 'interactions'

/** How an answer is cut into pieces on the wire. */
export type Framing = 'unary' | 'sse' | 'array'

/** What a request line asks for, read once and never from the body. Immutable: equal request lines share one. */
export interface Target {
  readonly traffic: Traffic
  readonly dialect: Dialect
  /** null for everything that is not a model call */
  readonly operation: Operation | null
  /** `v1`, `v1beta`, `v1alpha`, `v1beta1`, or '' where the path has none */
  readonly version: string
  /** model id of the path without its collection, e.g. `gemini-2.5-flash`; null where the body names it or none is named */
  readonly model: string | null
  /** what the request line promises; the OpenAI and Interactions dialects decide by the body, so theirs says `unary` */
  readonly framing: Framing
  /** location segment of a Vertex path, e.g. `global`; null on the Gemini API */
  readonly vertexLocation: string | null
  /** path for the upstream: the client's bytes, after the aliases of `canonicalPath` */
  readonly path: string
  /** query for the upstream with its leading `?`, or ''; credentials and our own parameters are taken out */
  readonly search: string
  /** credential of `?key=`, decoded */
  readonly queryKey: string | null
  /** ephemeral token of `?access_token=`, decoded; stays in `search`, since only Google can check it */
  readonly accessToken: string | null
  /** our own proof that an upload session belongs to a caller, see uploads.ts */
  readonly uploadProof: string | null
  /** id of a resumable upload session */
  readonly uploadId: string | null
  /** bounded name for logs and metrics, e.g. `/v1beta/models/:model:generateContent` */
  readonly route: string
}

/** Query parameter that carries our proof of ownership in a rewritten upload URL. */
export const uploadProofParameter = 'castor_upload'

const nativeOperations = new Map<string, Operation>([
  ['generateContent', 'generateContent'],
  ['streamGenerateContent', 'streamGenerateContent'],
  ['embedContent', 'embedContent'],
  ['batchEmbedContents', 'batchEmbedContents'],
  ['countTokens', 'countTokens'],
])

/** Bound of the table of request lines seen; a full table starts anew (models and operations are few, ids are not). */
const maxRemembered = 2_000
/** By method, then by URL: three stages look the same URL up, and a joined key would be hashed anew for each. */
const remembered = new Map<string, Map<string, Target>>()
let rememberedLines = 0

/**
 * Reads a request line.
 * @param method HTTP method, upper case
 * @param url request target as received: origin form or absolute form, undecoded
 * @throws URIError when a path segment is not valid percent-encoding
 */
export function readTarget(method: string, url: string): Target {
  const known = remembered.get(method)?.get(url)
  if (known !== undefined) return known
  const target = parseTarget(method, url)
  // A request line that carries a credential is never kept, nor one long enough to make the table heavy.
  if (url.length <= 300 && target.queryKey === null && target.accessToken === null && target.uploadId === null)
    remember(method, url, target)
  return target
}

function remember(method: string, url: string, target: Target): void {
  if (rememberedLines >= maxRemembered) {
    remembered.clear()
    rememberedLines = 0
  }
  const lines = remembered.get(method)
  if (lines === undefined) remembered.set(method, new Map([[url, target]]))
  else lines.set(url, target)
  rememberedLines += 1
}

function parseTarget(method: string, url: string): Target {
  const origin = originForm(url)
  const questionMark = origin.indexOf('?')
  const path = canonicalPath(questionMark < 0 ? origin : origin.slice(0, questionMark))
  const query = readQuery(questionMark < 0 ? '' : origin.slice(questionMark + 1))
  const segments = path.split('/').slice(1).map(decodeSegment)
  const call = method === 'POST' ? readModelCall(segments) : null
  const live = segments[0] === 'ws'
  return Object.freeze({
    traffic: live ? 'live' : call ? 'model' : 'other',
    dialect: call?.dialect ?? dialectOf(segments),
    operation: call?.operation ?? null,
    version: segments.find((segment) => apiVersion.test(segment)) ?? '',
    model: call?.model ?? null,
    framing: call?.operation === 'streamGenerateContent' ? (query.alt === 'sse' ? 'sse' : 'array') : 'unary',
    vertexLocation: vertexLocation(segments),
    path,
    search: query.search,
    queryKey: query.key,
    accessToken: query.accessToken,
    uploadProof: query.uploadProof,
    uploadId: query.uploadId,
    route: routeTemplate(segments),
  } satisfies Target)
}

/** RFC 9112 §3.2.2: a server must accept absolute-form; its authority never chooses our upstream. */
function originForm(url: string): string {
  if (url.startsWith('/')) return url
  const authority = url.indexOf('://')
  if (authority < 0) return `/${url}`
  const slash = url.indexOf('/', authority + 3)
  return slash < 0 ? '/' : url.slice(slash)
}

/**
 * The path as Google knows it. SDKs produce, and we accept: `//v1beta/…` and `//ws/…` (base URL with a trailing slash),
 * `/v1beta/v1beta/…` and `/v1beta/upload/v1beta/…` (base URL that already ends in a version), `/models/…` and `/openai/…`
 * without a version (older LiteLLM). All other bytes stay as they are.
 */
export function canonicalPath(path: string): string {
  let canonical = path.replace(/^\/{2,}/, '/')
  canonical = canonical.replace(/^\/v1(?:alpha|beta)?\/(?=(?:v1|v1beta|v1alpha|upload|download|ws)\/)/, '/')
  if (/^\/(?:models|tunedModels|openai)\//.test(canonical)) canonical = `/v1beta${canonical}`
  return canonical
}

function decodeSegment(segment: string): string {
  return segment.includes('%') ? decodeURIComponent(segment) : segment
}

interface ModelCall {
  dialect: Dialect
  operation: Operation
  model: string | null
}

function readModelCall(segments: readonly string[]): ModelCall | null {
  const end = segments.at(-1) === '' ? segments.length - 1 : segments.length
  const last = segments[end - 1] ?? ''
  const before = segments[end - 2] ?? ''
  if (!apiVersion.test(segments[0] ?? '')) return null
  if (segments[1] === 'openai' || (before === 'chat' && segments[end - 3] === 'openapi')) {
    if (before === 'chat' && last === 'completions')
      return { dialect: 'openai', operation: 'chat.completions', model: null }
    if (before === 'openai' && last === 'embeddings') return { dialect: 'openai', operation: 'embeddings', model: null }
    return null
  }
  if (end === 2 && last === 'interactions') return { dialect: 'interactions', operation: 'interactions', model: null }
  const colon = last.lastIndexOf(':')
  const operation = colon < 0 ? undefined : nativeOperations.get(last.slice(colon + 1))
  // A model id may itself hold an encoded slash (`models%2Fgemini…`): its last part is the model.
  const model = last.slice(last.lastIndexOf('/') + 1, colon)
  if (operation === undefined || model === '' || !modelCollections.has(before)) return null
  return { dialect: 'native', operation, model }
}

function dialectOf(segments: readonly string[]): Dialect {
  if (segments[1] === 'openai' || segments.includes('openapi')) return 'openai'
  return segments[1] === 'interactions' ? 'interactions' : 'native'
}

/** Vertex paths: `/{version}/projects/{project}/locations/{location}/…` and express mode `/{version}/publishers/google/models/…`. */
function vertexLocation(segments: readonly string[]): string | null {
  if (segments[1] === 'projects' && segments[3] === 'locations') return segments[4] ?? null
  return segments[1] === 'publishers' && segments[2] === 'google' ? 'global' : null
}

interface Query {
  search: string
  alt: string | null
  key: string | null
  accessToken: string | null
  uploadProof: string | null
  uploadId: string | null
}

function readQuery(text: string): Query {
  const query: Query = { search: '', alt: null, key: null, accessToken: null, uploadProof: null, uploadId: null }
  if (text === '') return query
  const kept: string[] = []
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=')
    const name = decodeQuery(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : decodeQuery(pair.slice(equals + 1))
    if (name === 'key') {
      query.key ??= value === '' ? null : value
      continue
    }
    if (name === uploadProofParameter) {
      query.uploadProof = value
      continue
    }
    if (name === 'access_token') query.accessToken = value
    if (name === 'upload_id') query.uploadId = value
    if (name === 'alt' || name === '$alt') query.alt = value.toLowerCase()
    kept.push(pair)
  }
  query.search = kept.length === 0 ? '' : `?${kept.join('&')}`
  return query
}

function decodeQuery(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    // Gemini judges a malformed query; for our own reading the raw text will do.
    return text
  }
}

/** The same request for another model; null where the path does not name the model. */
export function withModel(target: Target, model: string): Target | null {
  if (target.model === null) return null
  // The verb behind the model may hold the model's name by chance: only `/model:` is meant.
  const at = Math.max(target.path.lastIndexOf(`/${target.model}:`), target.path.lastIndexOf(`/${target.model}%3A`)) + 1
  if (at === 0) return null
  const path = target.path.slice(0, at) + encodeURIComponent(model) + target.path.slice(at + target.model.length)
  return Object.freeze({ ...target, model, path })
}
