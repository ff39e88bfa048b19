import type { ModalityTokens } from './usage.ts'

/** The figures one piece of an answer gave; where the piece was silent the field is not there, so pieces can be spread. */
export type UsageFields = {
  prompt?: number
  cached?: number
  candidates?: number
  thoughts?: number
  toolUse?: number
  total?: number
  initialPrompt?: number
  promptBy?: ModalityTokens
  cachedBy?: ModalityTokens
  candidatesBy?: ModalityTokens
  toolUseBy?: ModalityTokens
  serviceTier?: string
  trafficType?: string
  groundingQueries?: number
}

type Json = Record<string, unknown>

/** google.ai.generativelanguage.v1beta.Modality, for clients that ask for `$alt=json;enum-encoding=int`. */
const MODALITIES = ['MODALITY_UNSPECIFIED', 'TEXT', 'IMAGE', 'VIDEO', 'AUDIO', 'DOCUMENT']

/** google.cloud.aiplatform.v1 UsageMetadata.TrafficType. */
const TRAFFIC_TYPES = ['TRAFFIC_TYPE_UNSPECIFIED', 'ON_DEMAND', 'PROVISIONED_THROUGHPUT']

/** Reads a usage object. Figures that are no token counts are left out. */
export type ReadFields = (usage: unknown) => UsageFields

type Put = (into: UsageFields, value: unknown) => void

type Count = 'prompt' | 'cached' | 'candidates' | 'thoughts' | 'toolUse' | 'total' | 'initialPrompt'

const count =
  (field: Count): Put =>
  (into, value) => {
    const number = tokens(value)
    if (number !== undefined) into[field] = number
  }

const details =
  (field: 'promptBy' | 'cachedBy' | 'candidatesBy' | 'toolUseBy'): Put =>
  (into, value) => {
    if (Array.isArray(value)) into[field] = byModality(value)
  }

const serviceTier: Put = (into, value) => {
  const name = tier(value)
  if (name !== undefined) into.serviceTier = name
}

/** Keys of UsageMetadata; embedContent says promptTokenDetails (singular), Live says response… for candidates…. */
const NATIVE = bothCasings({
  promptTokenCount: count('prompt'),
  cachedContentTokenCount: count('cached'),
  candidatesTokenCount: count('candidates'),
  responseTokenCount: count('candidates'),
  thoughtsTokenCount: count('thoughts'),
  toolUsePromptTokenCount: count('toolUse'),
  totalTokenCount: count('total'),
  initialPromptTokenCount: count('initialPrompt'),
  promptTokensDetails: details('promptBy'),
  promptTokenDetails: details('promptBy'),
  cacheTokensDetails: details('cachedBy'),
  candidatesTokensDetails: details('candidatesBy'),
  responseTokensDetails: details('candidatesBy'),
  toolUsePromptTokensDetails: details('toolUseBy'),
  serviceTier,
  trafficType: (into, value) => {
    const name = named(value, TRAFFIC_TYPES)
    if (name !== undefined) into.trafficType = name
  },
})

/** Keys of an interaction's usage; `total_output_tokens` excludes thoughts, as in the native dialect. */
const INTERACTION = new Map<string, Put>(
  Object.entries({
    total_input_tokens: count('prompt'),
    total_cached_tokens: count('cached'),
    total_output_tokens: count('candidates'),
    total_thought_tokens: count('thoughts'),
    total_tool_use_tokens: count('toolUse'),
    total_tokens: count('total'),
    initial_input_tokens: count('initialPrompt'),
    input_tokens_by_modality: details('promptBy'),
    cached_tokens_by_modality: details('cachedBy'),
    output_tokens_by_modality: details('candidatesBy'),
    tool_use_tokens_by_modality: details('toolUseBy'),
    grounding_tool_count: (into: UsageFields, value: unknown) => {
      if (Array.isArray(value)) into.groundingQueries = searches(value)
    },
  }),
)

/** `usageMetadata`, in camelCase or snake_case. */
export function nativeFields(source: unknown): UsageFields {
  return readFields(source, NATIVE)
}

/** A countTokens reply: all it counts is a prompt. */
export function countFields(source: unknown): UsageFields {
  const fields = readFields(source, NATIVE)
  const total = isObject(source) ? tokens(source.totalTokens ?? source.total_tokens) : undefined
  return total === undefined ? fields : { ...fields, prompt: total, total }
}

/** `usage` of an interaction. */
export function interactionFields(source: unknown): UsageFields {
  return readFields(source, INTERACTION)
}

function readFields(source: unknown, puts: Map<string, Put>): UsageFields {
  const fields: UsageFields = {}
  if (isObject(source)) for (const key of Object.keys(source)) puts.get(key)?.(fields, source[key])
  return fields
}

function bothCasings(keys: Record<string, Put>): Map<string, Put> {
  const map = new Map<string, Put>()
  for (const [camel, put] of Object.entries(keys)) {
    map.set(camel, put)
    map.set(
      camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      put,
    )
  }
  return map
}

/**
 * `usage` of chat/completions and embeddings. OpenAI counts reasoning inside `completion_tokens`; Gemini's compatible
 * surface has given `completion_tokens` without thoughts while `total_tokens` had them. The total decides: what it has
 * beyond prompt and completion is thoughts.
 */
export function openaiFields(source: unknown): UsageFields {
  if (!isObject(source)) return {}
  const prompt = tokens(source.prompt_tokens)
  const completion = tokens(source.completion_tokens)
  const total = tokens(source.total_tokens)
  const cached = isObject(source.prompt_tokens_details) ? tokens(source.prompt_tokens_details.cached_tokens) : undefined
  const details = source.completion_tokens_details
  const reasoning = isObject(details) ? tokens(details.reasoning_tokens) : undefined
  const fields: UsageFields = {}
  if (prompt !== undefined) fields.prompt = prompt
  if (cached !== undefined) fields.cached = cached
  if (total !== undefined) fields.total = total
  if (completion !== undefined) fields.candidates = completion
  const beyond = total === undefined || prompt === undefined ? 0 : total - prompt - (completion ?? 0)
  if (beyond > 0 && source.completion_tokens !== undefined) fields.thoughts = reasoning ?? beyond
  else if (reasoning !== undefined && completion !== undefined) {
    fields.thoughts = Math.min(reasoning, completion)
    fields.candidates = completion - fields.thoughts
  }
  return fields
}

/** A count of tokens: a whole number from 0, or one written as a string (protobuf JSON may do so for int64). */
function tokens(value: unknown): number | undefined {
  const count = typeof value === 'string' && value !== '' ? Number(value) : value
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined
}

function byModality(value: unknown[]): ModalityTokens {
  const counts: ModalityTokens = {}
  for (const entry of value) {
    if (!isObject(entry)) continue
    const modality = named(entry.modality, MODALITIES) ?? 'MODALITY_UNSPECIFIED'
    const count = tokens(entry.tokenCount ?? entry.token_count ?? entry.tokens)
    if (count !== undefined) counts[modality] = (counts[modality] ?? 0) + count
  }
  return counts
}

/** Searches among the grounding tools an interaction used. */
function searches(value: unknown[]): number {
  let count = 0
  for (const entry of value) if (isObject(entry) && entry.type === 'google_search') count += tokens(entry.count) ?? 0
  return count
}

/** An enum's name in upper case, from a name or from its number. */
function named(value: unknown, names: string[]): string | undefined {
  if (typeof value === 'string') return value.toUpperCase()
  return typeof value === 'number' ? (names[value] ?? String(value)) : undefined
}

/** `standard`, `flex`, `priority`: early documents wrote SERVICE_TIER_PRIORITY. */
export function tier(value: unknown): string | undefined {
  return typeof value === 'string' ? value.toLowerCase().replace(/^service_tier_/, '') : undefined
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
