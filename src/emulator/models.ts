/** The catalogue: which models exist, what they can do, and how they answer ListModels. */
import { modelNotFound, notFound } from './errors.ts'
import type { JsonObject } from './json.ts'
import { pageOf } from './page.ts'
import type { Route } from './route.ts'

export interface Model {
  id: string
  displayName: string
  version: string
  /** 2, 2.5, 3.1, 4 ...; 0 for models without a Gemini number. */
  generation: number
  inputLimit: number
  outputLimit: number
  methods: string[]
  thinking: boolean
  /** The id in `modelVersion`: aliases answer with what they stand for. */
  resolved: string
}

const chat = ['generateContent', 'countTokens', 'createCachedContent', 'batchGenerateContent']
const embed = ['embedContent', 'countTextTokens', 'countTokens', 'asyncBatchEmbedContent']
const million = 1_048_576

/** id | display name | input limit | output limit | methods (defaults: a chat model of a million tokens). Recorded 2026-08-05, Argon and live models from the documentation. */
const catalogue: [string, string, number?, number?, string[]?][] = [
  ['gemini-2.5-flash', 'Gemini 2.5 Flash'],
  ['gemini-2.5-pro', 'Gemini 2.5 Pro'],
  ['gemini-2.0-flash', 'Gemini 2.0 Flash', million, 8192],
  ['gemini-2.0-flash-001', 'Gemini 2.0 Flash 001', million, 8192],
  ['gemini-2.0-flash-lite-001', 'Gemini 2.0 Flash-Lite 001', million, 8192],
  ['gemini-2.0-flash-lite', 'Gemini 2.0 Flash-Lite', million, 8192],
  ['gemma-4-26b-a4b-it', 'Gemma 4 26B A4B IT', 262_144, 32_768, chat.slice(0, 2)],
  ['gemma-4-31b-it', 'Gemma 4 31B IT', 262_144, 32_768, chat.slice(0, 2)],
  ['gemini-flash-latest', 'Gemini Flash Latest'],
  ['gemini-flash-lite-latest', 'Gemini Flash-Lite Latest'],
  ['gemini-pro-latest', 'Gemini Pro Latest'],
  ['gemini-2.5-flash-lite', 'Gemini 2.5 Flash-Lite'],
  ['gemini-3-pro-preview', 'Gemini 3 Pro Preview'],
  ['gemini-3-flash-preview', 'Gemini 3 Flash Preview'],
  ['gemini-3.1-pro-preview', 'Gemini 3.1 Pro Preview'],
  ['gemini-3.1-flash-lite-preview', 'Gemini 3.1 Flash Lite Preview'],
  ['gemini-3.1-flash-lite', 'Gemini 3.1 Flash Lite'],
  ['gemini-3.5-flash', 'Gemini 3.5 Flash'],
  ['gemini-3.5-flash-lite', 'Gemini 3.5 Flash Lite'],
  ['gemini-3.6-flash', 'Gemini 3.6 Flash'],
  ['gemini-3.7-flash', 'Gemini 3.7 Flash'],
  ['gemini-3.8-flash', 'Gemini 3.8 Flash'],
  ['gemini-4-argon', 'Gemini 4 Argon'],
  [
    'gemini-3.1-flash-live-preview',
    'Gemini 3.1 Flash Live Preview',
    131_072,
    65_536,
    ['bidiGenerateContent', 'countTokens'],
  ],
  [
    'gemini-live-2.5-flash-preview',
    'Gemini Live 2.5 Flash Preview',
    131_072,
    8192,
    ['bidiGenerateContent', 'countTokens'],
  ],
  ['gemini-2.0-flash-live-001', 'Gemini 2.0 Flash 001', 131_072, 8192, ['bidiGenerateContent', 'countTokens']],
  ['gemini-embedding-001', 'Gemini Embedding 001', 2048, 1, embed],
  ['gemini-embedding-2-preview', 'Gemini Embedding 2 Preview', 8192, 1, embed],
  ['gemini-embedding-2', 'Gemini Embedding 2', 8192, 1, embed],
  ['text-embedding-004', 'Text Embedding 004', 2048, 1, ['embedContent']],
  ['imagen-4.0-generate-001', 'Imagen 4', 480, 8192, ['predict']],
  ['veo-3.1-generate-preview', 'Veo 3.1', 480, 8192, ['predictLongRunning']],
]

const aliases: Record<string, string> = {
  'gemini-flash-latest': 'gemini-3.6-flash',
  'gemini-flash-lite-latest': 'gemini-3.5-flash-lite',
  'gemini-pro-latest': 'gemini-3.1-pro-preview',
  'gemini-3-pro-preview': 'gemini-3.1-pro-preview',
}

/** Verbs that a method of the catalogue covers besides its own. */
const coveredBy: Record<string, string> = {
  streamGenerateContent: 'generateContent',
  batchEmbedContents: 'embedContent',
  computeTokens: 'countTokens',
}

export interface Catalogue {
  /** The model, when it exists and has the method. Throws Google's 404. */
  require(id: string, method: string, version: string): Model
  find(id: string): Model | undefined
  all(): Model[]
  /** GET /models and GET /models/{id}. */
  answer(route: Route): JsonObject
}

/** The catalogue plus further names. */
export function createCatalogue(extra: string[]): Catalogue {
  const models = new Map<string, Model>()
  for (const row of catalogue) models.set(row[0], describe(...row))
  for (const id of extra) {
    models.set(id, id.includes('embedding') ? describe(id, id, 8192, 1, embed) : describe(id, id))
  }
  return {
    find: (id) => models.get(id),
    all: () => [...models.values()],
    require(id, method, version) {
      const model = models.get(id)
      if (model?.methods.includes(coveredBy[method] ?? method)) return model
      throw modelNotFound(`models/${id}`, version, method)
    },
    answer(route) {
      if (route.model !== undefined) {
        const model = models.get(route.model)
        if (!model) throw notFound(`Model is not found: models/${route.model} for api version ${route.version}`)
        return resource(model)
      }
      const page = pageOf([...models.values()], route.query, (model) => `models/${model.id}`, 1000)
      return { models: page.shown.map(resource), nextPageToken: page.nextPageToken }
    },
  }
}

function describe(
  id: string,
  displayName: string,
  inputLimit?: number,
  outputLimit?: number,
  methods?: readonly string[],
): Model {
  const resolved = aliases[id] ?? id
  const generation = Number(/^gemini-(?:live-)?(\d+(?:\.\d+)?)/.exec(resolved)?.[1] ?? 0)
  return {
    id,
    displayName,
    version: /-(\d{3})$/.exec(id)?.[1] ?? '001',
    generation,
    inputLimit: inputLimit ?? million,
    outputLimit: outputLimit ?? 65_536,
    methods: [...(methods ?? chat)],
    thinking: (generation >= 2.5 || id.startsWith('gemma')) && (methods ?? chat).includes('generateContent'),
    resolved,
  }
}

function resource(model: Model): JsonObject {
  const found: JsonObject = {
    name: `models/${model.id}`,
    version: model.version,
    displayName: model.displayName,
    description: model.displayName,
    inputTokenLimit: model.inputLimit,
    outputTokenLimit: model.outputLimit,
    supportedGenerationMethods: model.methods,
  }
  if (!model.methods.includes('generateContent')) return found
  Object.assign(found, { temperature: 1, topP: 0.95, topK: model.generation >= 2.5 ? 64 : 40, maxTemperature: 2 })
  if (model.thinking) found.thinking = true
  return found
}
