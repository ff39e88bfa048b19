/** What a request line asks for. */
import type { Framing } from './framing.ts'

/** The surface a call came over: it decides errors, credentials and shapes. */
export type Dialect = 'native' | 'vertex' | 'openai' | 'interactions' | 'live' | 'control'

export interface Route {
  dialect: Dialect
  /** v1, v1beta, v1alpha, v1beta1 (Vertex). */
  version: string
  /** The verb for model calls (`generateContent`), else the family (`files`, `chat/completions`, `upload`). */
  operation: string
  /** Without "models/"; undefined for calls that name none in the path. */
  model: string | undefined
  /** Path below the version, decoded, e.g. "files/abc" or "models/x". */
  name: string
  /** What follows the last colon. */
  verb: string | undefined
  framing: Framing
  /** `$alt=json;enum-encoding=int` */
  enumIntegers: boolean
  query: URLSearchParams
}

const noQuery = new URLSearchParams()
const versioned = /^(v1|v1beta|v1alpha|v1beta1)\/(.*)$/
const modelPath =
  /^(?:models|tunedModels|dynamic|publishers\/google\/models|projects\/[^/]+\/locations\/[^/]+\/(?:publishers\/google\/models|endpoints))\/([^/:]+)(?:\/operations\/[^/:]+)?$/
const vertexPath = /^(?:projects\/[^/]+\/locations\/[^/]+|publishers\/google\/models)(?:\/|$)/

/** Undefined for paths Google answers with an HTML 404. */
export function parseRoute(url: string): Route | undefined {
  const mark = url.indexOf('?')
  const query = mark < 0 ? noQuery : new URLSearchParams(url.slice(mark + 1))
  const path = decode((mark < 0 ? url : url.slice(0, mark)).replace(/^\/+/, ''))
  if (path === undefined) return undefined
  if (path.startsWith('__emulator/')) return route('control', '', path.slice(11), query)
  if (path.startsWith('ws/')) return live(path, query)
  for (const prefix of ['upload/', 'download/'] as const) {
    if (!path.startsWith(prefix)) continue
    const match = versioned.exec(path.slice(prefix.length))
    return match ? { ...named('native', match[1]!, match[2]!, query), operation: prefix.slice(0, -1) } : undefined
  }
  const match = versioned.exec(path)
  if (!match) return undefined
  const [, version, rest] = match
  if (rest!.startsWith('openai/')) return route('openai', version!, rest!.slice(7).replace(/\/$/, ''), query)
  const openai = /^projects\/[^/]+\/locations\/[^/]+\/endpoints\/openapi\/(.+)$/.exec(rest!)
  if (openai) return route('openai', version!, openai[1]!, query)
  if (/^interactions(\/|$)/.test(rest!))
    return { ...named('interactions', version!, rest!, query), operation: 'interactions' }
  return named(vertexPath.test(rest!) ? 'vertex' : 'native', version!, rest!, query)
}

function named(dialect: Dialect, version: string, rest: string, query: URLSearchParams): Route {
  const trimmed = rest.replace(/\/$/, '')
  const colon = trimmed.lastIndexOf(':')
  const name = colon < 0 ? trimmed : trimmed.slice(0, colon)
  const verb = colon < 0 ? undefined : trimmed.slice(colon + 1)
  const model = modelPath.exec(name)?.[1]
  const family = name.split('/').find((piece) => families.has(piece)) ?? name.split('/')[0]!
  const alt = query.get('alt') ?? query.get('$alt') ?? 'json'
  return {
    dialect,
    version,
    operation: model !== undefined && verb !== undefined ? verb : family,
    model,
    name,
    verb,
    framing: verb !== 'streamGenerateContent' ? 'unary' : alt.toLowerCase() === 'sse' ? 'sse' : 'array',
    enumIntegers: /enum-encoding=int/.test(query.get('$alt') ?? query.get('alt') ?? ''),
    query,
  }
}

/** Families that may stand below a project (Vertex) or below another resource. */
const families = new Set(['cachedContents', 'operations', 'batches', 'documents', 'batchPredictionJobs'])

function route(dialect: Dialect, version: string, name: string, query: URLSearchParams): Route {
  return {
    dialect,
    version,
    operation: name,
    model: undefined,
    name,
    verb: undefined,
    framing: 'unary',
    enumIntegers: false,
    query,
  }
}

const livePath = /^ws\/google\.ai\.generativelanguage\.(v1|v1beta|v1alpha)\.GenerativeService\.(Bidi\w+)$/

function live(path: string, query: URLSearchParams): Route | undefined {
  const match = livePath.exec(path)
  return match ? route('live', match[1]!, match[2]!, query) : undefined
}

function decode(path: string): string | undefined {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}
