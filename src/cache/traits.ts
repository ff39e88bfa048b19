/** What of a request's content bears on whether its answer may be remembered. Read once for each body. */

/** What an answer may rest on besides the model. */
export type Feature =
  | 'functions'
  | 'search'
  | 'maps'
  | 'urlContext'
  | 'fileSearch'
  | 'codeExecution'
  | 'otherTool'
  | 'file'
  | 'externalFile'
  | 'cachedContent'

export type Traits = {
  /** Undefined when not sent. */
  temperature: number | undefined
  features: ReadonlySet<Feature>
  /** URIs of files in Gemini's own store; they live 48 hours. */
  fileUris: string[]
  /** Only one hop of an answer. */
  continuation: boolean
  /** Gemini keeps this exchange, so asking has an effect besides the answer. */
  stored: boolean
}

type Json = Record<string, unknown>

const GEMINI_FILE = /^(?:https?:\/\/[^/]+\/v[^/]+\/)?files\//

const TOOLS: Record<string, Feature> = {
  functionDeclarations: 'functions',
  googleSearch: 'search',
  googleSearchRetrieval: 'search',
  enterpriseWebSearch: 'search',
  googleMaps: 'maps',
  urlContext: 'urlContext',
  fileSearch: 'fileSearch',
  retrieval: 'fileSearch',
  codeExecution: 'codeExecution',
}

/** @param body the parsed request; anything that is not as documented has no traits, and Gemini's own answer tells */
export function readTraits(body: unknown, dialect: string): Traits {
  const features = new Set<Feature>()
  const fileUris: string[] = []
  const root = record(body)
  if (dialect === 'openai') return openaiTraits(root, features, fileUris)
  const config = record(field(root, 'generationConfig'))
  const inner = record(field(root, 'generateContentRequest'))
  for (const request of [root, inner, ...list(root.requests).map(record)]) {
    for (const tool of list(field(request, 'tools'))) addTool(record(tool), features)
    if (field(request, 'cachedContent') !== undefined) features.add('cachedContent')
    for (const turn of [...list(request.contents), field(request, 'systemInstruction'), request.content]) {
      addFiles(record(turn), features, fileUris)
    }
  }
  return {
    temperature: number(config.temperature),
    features,
    fileUris,
    continuation: field(root, 'continuationToken') !== undefined,
    // Interactions are kept unless the request says otherwise (ai.google.dev/gemini-api/docs/interactions).
    stored: dialect === 'interactions' ? root.store !== false || root.background === true : root.store === true,
  }
}

/** Names of files remembered with a body; more than anybody attaches. */
const MAX_FILES = 100
const LONGEST_URI = 512

/**
 * The traits of a body, small enough to be remembered with its key.
 * @param body JSON, or anything: what cannot be read has no traits
 */
export function briefTraits(body: Uint8Array, dialect: string): Traits {
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString())
  } catch {
    parsed = undefined
  }
  const traits = readTraits(parsed, dialect)
  const { fileUris } = traits
  if (fileUris.length <= MAX_FILES && fileUris.every((uri) => uri.length <= LONGEST_URI)) return traits
  // Of a file without a name, the policy knows no age: it takes the shortest life.
  return { ...traits, fileUris: [''] }
}

function openaiTraits(root: Json, features: Set<Feature>, fileUris: string[]): Traits {
  for (const tool of list(root.tools)) features.add(record(tool).type === 'function' ? 'functions' : 'otherTool')
  if (list(root.functions).length > 0) features.add('functions')
  if (root.web_search_options !== undefined) features.add('search')
  const google = record(record(root.extra_body).google)
  if (google.cached_content !== undefined) features.add('cachedContent')
  for (const message of list(root.messages)) {
    for (const part of list(record(message).content)) {
      const { image_url, file } = record(part)
      const url = record(image_url).url
      if (typeof url === 'string' && !url.startsWith('data:')) features.add('externalFile')
      const id = record(file).file_id
      if (typeof id === 'string') addFile(id, features, fileUris)
    }
  }
  return { temperature: number(root.temperature), features, fileUris, continuation: false, stored: root.store === true }
}

function addTool(tool: Json, features: Set<Feature>): void {
  for (const name of Object.keys(tool)) features.add(TOOLS[camel(name)] ?? 'otherTool')
}

function addFiles(turn: Json, features: Set<Feature>, fileUris: string[]): void {
  for (const part of list(turn.parts)) {
    const uri = field(record(field(record(part), 'fileData')), 'fileUri')
    if (typeof uri === 'string') addFile(uri, features, fileUris)
    for (const nested of list(record(field(record(part), 'functionResponse')).parts)) {
      const inner = field(record(field(record(nested), 'fileData')), 'fileUri')
      if (typeof inner === 'string') addFile(inner, features, fileUris)
    }
  }
}

function addFile(uri: string, features: Set<Feature>, fileUris: string[]): void {
  if (!GEMINI_FILE.test(uri)) {
    features.add('externalFile')
    return
  }
  features.add('file')
  fileUris.push(uri)
}

/** A field in either casing. */
function field(of: Json, name: string): unknown {
  return of[name] ?? of[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)]
}

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function record(value: unknown): Json {
  return isRecord(value) ? value : {}
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A list; a lone object counts as one of one, as Gemini reads it. */
function list(value: unknown): unknown[] {
  if (Array.isArray(value)) return value
  return isRecord(value) ? [value] : []
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}
