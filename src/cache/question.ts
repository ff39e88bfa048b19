/** Makes a cache question of an exchange: every part of the request that reaches Gemini and shapes its answer. */

import type { Exchange } from '../exchange/exchange.ts'
import { headerValue, requestHeaderRule } from '../gemini/headers.ts'
import type { Form } from './convert.ts'
import type { KeyParts } from './key.ts'

export type Scope = 'key' | 'client' | 'tags' | 'shared'

/** Whose memory a caller shares. A caller that has no client or tags of its own shares with nobody. */
export function partitionOf({ caller }: Pick<Exchange, 'caller'>, scope: Scope): string {
  if (scope === 'shared') return 'shared'
  if (scope === 'client' && caller.client !== null) return `client:${caller.client}`
  if (scope === 'tags') {
    // Only tags that the operator wrote: a client that names its own must not thereby enter a partition.
    const tags = Object.entries(caller.tags)
    if (tags.length > 0) return `tags:${JSON.stringify(tags.sort(([a], [b]) => (a < b ? -1 : 1)))}`
  }
  return `key:${caller.tenant}`
}

/** Headers that pass up but say who asks and how, not what: the same question with others of these has the same answer. */
const silent =
  /^(?:accept$|accept-encoding$|user-agent|content-type|content-encoding|origin|referer|priority|sec-fetch-|x-stainless-|openai-|x-requested-with|x-server-timeout|x-goog-api-client|x-goog-request-params|x-android-|x-ios-|if-|access-control-)/

const remembered = new Map<string, boolean>()

function shapesAnswer(name: string): boolean {
  const known = remembered.get(name)
  if (known !== undefined) return known
  const lower = name.toLowerCase()
  const shapes = requestHeaderRule(name) === 'pass' && !silent.test(lower) && lower !== 'api-revision'
  if (remembered.size >= 1000) remembered.clear()
  remembered.set(name, shapes)
  return shapes
}

/** The passed headers that may shape an answer, `x-goog-fieldmask` and Vertex' tier headers among them; '' mostly. */
function shapingHeaders(rawHeaders: readonly string[]): string {
  let text = ''
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (shapesAnswer(name)) text += `${name.toLowerCase()}:${rawHeaders[index + 1]}\n`
  }
  return text
}

/** What of an exchange makes its question. */
export type Asking = Pick<Exchange, 'target' | 'model' | 'context' | 'interaction' | 'caller'>

export function partsOf(
  exchange: Asking,
  rawHeaders: readonly string[],
  options: { scope: Scope; contextAware: boolean },
): KeyParts {
  const { target } = exchange
  const model = exchange.model ?? ''
  return {
    partition: partitionOf(exchange, options.scope),
    dialect: target.dialect,
    apiVersion: target.version,
    operation: target.operation ?? '',
    model,
    resource: resourceOf(target.path, model),
    search: target.search,
    apiRevision: headerValue(rawHeaders, 'api-revision') ?? '',
    serviceTier: shapingHeaders(rawHeaders),
    ...(options.contextAware && exchange.context !== null ? { context: exchange.context } : {}),
    interaction: exchange.interaction ?? '',
  }
}

/** What the path says besides version, model and verb: Vertex' project and location, a tuned model's collection. */
function resourceOf(path: string, model: string): string {
  const at = model === '' ? -1 : path.lastIndexOf(model)
  return at < 0 ? path : path.slice(0, at)
}

const NO_TAGS: string[] = []

/** Tags as the cache keeps them, `name=value`; purges name them so. */
export function tagsOf(tags: Readonly<Record<string, string>>): string[] {
  let all = NO_TAGS
  for (const name in tags) {
    if (all === NO_TAGS) all = []
    all.push(`${name}=${tags[name]}`)
  }
  return all
}

/** The framing that the client of a target understands; the OpenAI dialect says it in the body. */
export function formOf(exchange: Pick<Exchange, 'target'>, lifted: string): Form {
  const { dialect, framing } = exchange.target
  if (dialect !== 'openai') return { dialect, framing }
  if (!lifted.includes('stream:true')) return { dialect, framing: 'unary' }
  return { dialect, framing: 'sse', ...(lifted.includes('"include_usage":true') ? { includeUsage: true } : {}) }
}
