/** Embeddings without a model: unit vectors of hashed n-grams, so that like texts lie close together. */
import { camelCase } from './casing.ts'
import { invalid } from './errors.ts'
import { asNumber, asObject, asObjects, asString, type Json, type JsonObject } from './json.ts'
import type { CallUsage } from './options.ts'
import { hash } from './random.ts'
import { jsonReply, type Reply } from './reply.ts'
import { detailsOf, type Modalities, promptTokens, totalOf } from './tokens.ts'
import { type Call, parseBody, type World } from './world.ts'

const words = /[\p{L}\p{N}]+/gu
/** Words that say little weigh little. */
const light = new Set(
  'a an the is are was be of in on at to for and or it its this that what which who how do does did can i me my you your please tell with about'.split(
    ' ',
  ),
)

/** A unit vector of `dimensions` numbers; cosine follows shared words (stems), word pairs and letter trigrams. */
export function embedText(text: string, dimensions: number, seed: number): number[] {
  const vector = new Float64Array(dimensions)
  const add = (feature: string, weight: number) => {
    const value = hash(feature, seed)
    const place = value % dimensions
    vector[place] = vector[place]! + (value & 0x80000000 ? weight : -weight)
  }
  let before = ''
  for (const match of text.slice(0, 100_000).toLowerCase().matchAll(words)) {
    const word = stem(match[0])
    const weight = light.has(match[0]) ? 0.2 : 1
    add(`w:${word}`, 2 * weight)
    if (before !== '') add(`p:${before} ${word}`, 0.5 * weight)
    for (let index = 0; index + 3 <= word.length; index++) add(`t:${word.slice(index, index + 3)}`, 0.35 * weight)
    before = word
  }
  // a text without words still has a direction
  if (before === '') add(`x:${text.slice(0, 1000)}`, 1)
  let square = 0
  for (const value of vector) square += value * value
  const length = Math.sqrt(square) || 1
  return Array.from(vector, (value) => Number((value / length).toPrecision(8)))
}

/** "running", "runs", "run" become one; crude on purpose. */
function stem(word: string): string {
  return word.length > 4 ? word.replace(/(?:ing|edly|ed|ies|es|s|ly)$/, '') : word
}

/** POST :embedContent. */
export function singleEmbedding(world: World, call: Call): Reply {
  const model = world.catalogue.require(call.route.model ?? '', 'embedContent', call.route.version)
  const request = camelCase(parseBody(call.body), call.body.toString())
  const embedding = embed(world, request, '')
  return reply({ embedding: { values: embedding.values } }, model.id, embedding.modalities)
}

/** POST :batchEmbedContents, which the official SDKs use for single texts too. */
export function batchEmbedding(world: World, call: Call): Reply {
  const model = world.catalogue.require(call.route.model ?? '', 'batchEmbedContents', call.route.version)
  const requests = asObjects(camelCase(parseBody(call.body), call.body.toString()).requests)
  if (requests.length === 0) throw invalid('* BatchEmbedContentsRequest.requests: requests is not specified\n')
  if (requests.length > 100)
    throw invalid('* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n')
  const modalities: Modalities = {}
  const embeddings = requests.map((request, index) => {
    const named = asString(request.model)
    if (named !== undefined && named !== `models/${model.id}`) {
      throw invalid(`* BatchEmbedContentsRequest.requests[${index}].model: model must match the model in the URL.\n`)
    }
    const embedding = embed(world, request, `requests[${index}].`)
    for (const [name, tokens] of Object.entries(embedding.modalities))
      modalities[name] = (modalities[name] ?? 0) + tokens
    return { values: embedding.values }
  })
  return reply({ embeddings }, model.id, modalities)
}

/** Vertex :predict of text embeddings. */
export function vertexPrediction(world: World, call: Call): Reply {
  const instances = asObjects(parseBody(call.body).instances)
  if (call.route.dialect !== 'vertex') {
    world.catalogue.require(call.route.model ?? '', 'predict', call.route.version)
    const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
    return jsonReply(
      { predictions: instances.map(() => ({ mimeType: 'image/png', bytesBase64Encoded: png })) },
      { paced: true },
    )
  }
  let characters = 0
  const predictions = instances.map((instance) => {
    const text = asString(instance.content) ?? ''
    characters += text.replace(/\s/g, '').length
    const statistics = { token_count: Math.ceil(text.length / 4), truncated: false }
    return { embeddings: { values: embedText(text, 768, world.seed), statistics } }
  })
  return jsonReply({ predictions, metadata: { billableCharacterCount: characters } }, { paced: true })
}

function embed(world: World, request: JsonObject, place: string): { values: Json[]; modalities: Modalities } {
  const content = asObject(request.content)
  const parts = asObjects(content?.parts)
  if (!content || parts.length === 0) throw invalid(`* EmbedContentRequest.${place}content: content is not specified\n`)
  const settings = asObject(request.embedContentConfig) ?? request
  const dimensions = asNumber(settings.outputDimensionality) ?? 3072
  if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > 3072) {
    throw invalid(`* EmbedContentRequest.${place}output_dimensionality: must be between 1 and 3072\n`)
  }
  const text = parts.map((part) => asString(part.text) ?? JSON.stringify(part)).join('\n')
  if (text.trim() === '') throw invalid(`* EmbedContentRequest.${place}content: content is empty\n`)
  const { modalities } = promptTokens({ contents: [content] })
  return { values: embedText(text, dimensions, world.seed), modalities }
}

/** gemini-embedding-001 reports no usage; -2 does, with "promptTokenDetails" in the singular. */
function reply(body: JsonObject, modelId: string, modalities: Modalities): Reply {
  const total = totalOf(modalities)
  const reports = modelId.startsWith('gemini-embedding-2')
  if (reports) body.usageMetadata = { promptTokenCount: total, promptTokenDetails: detailsOf(modalities) }
  const answer = jsonReply(body, { paced: true })
  if (reports) answer.frames[0]!.usage = embeddingUsage(total)
  return answer
}

function embeddingUsage(promptTokens: number): CallUsage {
  return {
    promptTokens,
    cachedTokens: 0,
    candidateTokens: 0,
    thoughtTokens: 0,
    toolUseTokens: 0,
    totalTokens: promptTokens,
  }
}
