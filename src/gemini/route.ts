/** Names of routes for logs and metrics: what a client chooses is never in them, and there is a bounded number of them. */

/** The first segment of most paths. */
export const apiVersion = /^v\d+(?:(?:alpha|beta)\d*)?$/
/** Collections whose members are models. */
export const modelCollections = new Set(['models', 'tunedModels', 'dynamic'])

/** Resource words that may appear in a route template; anything else is written as `*`, so that labels stay bounded. */
const resources = new Set(
  (
    'models tunedModels dynamic files cachedContents batches operations fileSearchStores documents corpora chunks permissions ' +
    'generatedFiles interactions agents environments credentials triggers executions voices webhooks auth_tokens openai chat ' +
    'completions embeddings images generations upload download ws projects locations publishers google endpoints openapi'
  ).split(' '),
)

/** Versions that Google has or is likely to have; others are written as one. */
const versions = new Set(['v1', 'v1beta', 'v1alpha', 'v1beta1', 'v1beta2', 'v1beta3', 'v2', 'v2beta', 'v2alpha'])
/**
 * The route of a path, e.g. `/v1beta/models/:model:generateContent`; `/*` for what no API of Google looks like.
 * @param segments of the path, decoded
 */
export function routeTemplate(segments: readonly string[]): string {
  const parts: string[] = []
  let collection = ''
  for (const segment of segments.slice(0, 10)) {
    if (segment === '') continue
    const colon = segment.lastIndexOf(':')
    const verb =
      colon > 0 && /^[A-Za-z]{1,40}$/.test(segment.slice(colon + 1)) ? `:${knownVerb(segment.slice(colon + 1))}` : ''
    if (apiVersion.test(segment) || resources.has(segment)) {
      parts.push(apiVersion.test(segment) && !versions.has(segment) ? 'v*' : segment)
      collection = segment
    } else if (segment.startsWith('google.ai.generativelanguage.')) parts.push(liveService(segment))
    else if (modelCollections.has(collection)) parts.push(`:model${verb}`)
    else if (collection !== '') parts.push(`:id${verb}`)
    else return '/*'
  }
  return boundedTemplate(`/${parts.join('/')}`)
}

/** Resource words can be strung together in endless ways; Google's own API has about a hundred templates. */
const maxTemplates = 500
const templates = new Set<string>()

function boundedTemplate(template: string): string {
  if (templates.has(template)) return template
  if (templates.size >= maxTemplates) return '/*'
  templates.add(template)
  return template
}

/** Verbs of Google's API that may stand in a route template. */
const verbs = new Set(
  (
    'generateContent streamGenerateContent countTokens computeTokens embedContent batchEmbedContents asyncBatchEmbedContent ' +
    'batchGenerateContent predict predictLongRunning cancel delete download register uploadToFileSearchStore importFile ' +
    'updateGenerateContentBatch updateEmbedContentBatch rawPredict streamRawPredict generateAnswer ping rotateSigningSecret query'
  ).split(' '),
)

function knownVerb(verb: string): string {
  return verbs.has(verb) ? verb : '*'
}

function liveService(segment: string): string {
  return /^google\.ai\.generativelanguage\.v1(?:alpha|beta)?\.GenerativeService\.Bidi[A-Za-z]{1,40}$/.test(segment)
    ? segment
    : '*'
}
