/** usageMetadata: what an answer reports, chunk by chunk, and what of it is booked. */
import type { Answer } from './answer.ts'
import type { Fault } from './faults.ts'
import { asNumber, type JsonObject } from './json.ts'
import type { CallUsage } from './options.ts'
import { hash } from './random.ts'
import type { Route } from './route.ts'
import { detailsOf } from './tokens.ts'

/** What stands around an answer on the native surface. */
export interface Envelope {
  route: Route
  /** "standard", "flex" or "priority" */
  tier: string
  responseId: string
  /** RFC 3339; Vertex shows it. */
  createTime: string
  chunkTokens: number
  faults: Fault[]
}

/** How far an answer has come. */
export interface Progress {
  /** Candidate tokens sent up to here. */
  said: number
  last: boolean
  first?: boolean
}

/** usageMetadata so far. Streams report late: signatures of the history only at the end, and Vertex nothing before it. */
export function usageOf(answer: Answer, envelope: Envelope, progress: Progress): JsonObject | undefined {
  if (envelope.faults.some((fault) => fault.kind === 'usage' && fault.mode === 'missing')) return undefined
  const vertex = envelope.route.dialect === 'vertex'
  if (vertex && !progress.last) return { trafficType: 'ON_DEMAND' }
  const late = progress.last ? 0 : answer.signatureTokens
  const prompt = answer.promptTokens - late
  // 41 of 86 recorded streams leave it out on the first chunk
  const unsaid = progress.first && !progress.last && hash(envelope.responseId) % 2 === 0
  const candidates = unsaid ? 0 : progress.said
  const usage: JsonObject = { promptTokenCount: prompt }
  if (candidates > 0) usage.candidatesTokenCount = candidates
  usage.totalTokenCount = prompt + candidates + answer.thoughtTokens + answer.toolUseTokens
  if (answer.cachedTokens > 0) usage.cachedContentTokenCount = answer.cachedTokens
  if (vertex) usage.trafficType = 'ON_DEMAND'
  usage.promptTokensDetails = detailsOf({ ...answer.modalities, TEXT: (answer.modalities.TEXT ?? 0) - late })
  if (vertex && candidates > 0) usage.candidatesTokensDetails = detailsOf({ TEXT: candidates })
  if (answer.cachedTokens > 0) usage.cacheTokensDetails = detailsOf({ TEXT: answer.cachedTokens })
  if (answer.toolUseTokens > 0) {
    usage.toolUsePromptTokenCount = answer.toolUseTokens
    usage.toolUsePromptTokensDetails = detailsOf({ TEXT: answer.toolUseTokens })
  }
  if (answer.thoughtTokens > 0) usage.thoughtsTokenCount = answer.thoughtTokens
  if (!vertex) usage.serviceTier = envelope.tier
  return usage
}

/** What a usageMetadata object says, as the records hold it; undefined when it counts nothing. */
export function reported(usage: JsonObject | undefined): CallUsage | undefined {
  const count = (name: string) => asNumber(usage?.[name]) ?? 0
  if (usage?.totalTokenCount === undefined) return undefined
  return {
    promptTokens: count('promptTokenCount'),
    cachedTokens: count('cachedContentTokenCount'),
    candidateTokens: count('candidatesTokenCount'),
    thoughtTokens: count('thoughtsTokenCount'),
    toolUseTokens: count('toolUsePromptTokenCount'),
    totalTokens: count('totalTokenCount'),
  }
}

/** All of an answer's tokens, for surfaces that report once. */
export function countsOf(answer: Answer): CallUsage {
  const { promptTokens, cachedTokens, candidateTokens, thoughtTokens, toolUseTokens } = answer
  const totalTokens = promptTokens + candidateTokens + thoughtTokens + toolUseTokens
  return { promptTokens, cachedTokens, candidateTokens, thoughtTokens, toolUseTokens, totalTokens }
}
