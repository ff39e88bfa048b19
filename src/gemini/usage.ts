/** Tokens by modality, upper case as on the native wire: TEXT, IMAGE, AUDIO, VIDEO, DOCUMENT, or whatever comes next. */
export type ModalityTokens = Record<string, number>

/**
 * What one answer cost in tokens, in one vocabulary for every dialect.
 * `promptTokens` includes `cachedTokens` and excludes `toolUseTokens`; `candidateTokens` excludes `thoughtTokens`
 * (Gemini API, UsageMetadata). `totalTokens` is Google's figure, or the sum where Google gives none.
 */
export type Usage = {
  promptTokens: number
  cachedTokens: number
  candidateTokens: number
  thoughtTokens: number
  toolUseTokens: number
  totalTokens: number
  /** As far as Google broke the figures down: empty records where it did not. */
  byModality: {
    prompt: ModalityTokens
    cached: ModalityTokens
    candidates: ModalityTokens
    toolUse: ModalityTokens
  }
  /** The tier that served the call, lower case (`standard`, `flex`, `priority`), as the body tells it. */
  serviceTier?: string
  /** Vertex: ON_DEMAND, PROVISIONED_THROUGHPUT... */
  trafficType?: string
  /** Distinct non-empty search queries the model ran: the billing unit of grounding on Gemini 3 and later. */
  groundingQueries?: number
  /** Long decode: the prompt of the first hop, when this answer continues an earlier one. */
  initialPromptTokens?: number
  /** totalTokens = prompt + candidates + thoughts + toolUse, as Google documents it; true where there is nothing to check. */
  identityHolds: boolean
  /**
   * `reported`: Gemini's own final figures. `partial`: Gemini's figures, but not final or not whole (a broken or
   * aborted stream, a field only an earlier chunk had, an answer with content and no count of it): the meter may
   * estimate what is missing. `none`: no figures at all.
   */
  source: 'reported' | 'partial' | 'none'
}

/** The figures of an answer that carried none. */
export function noUsage(): Usage {
  return {
    promptTokens: 0,
    cachedTokens: 0,
    candidateTokens: 0,
    thoughtTokens: 0,
    toolUseTokens: 0,
    totalTokens: 0,
    byModality: { prompt: {}, cached: {}, candidates: {}, toolUse: {} },
    identityHolds: true,
    source: 'none',
  }
}

/** The usage of two calls together: hops of one long decode, turns of one Live session. Never chunks of one stream. */
export function addUsage(one: Usage, other: Usage): Usage {
  if (one.source === 'none') return other
  if (other.source === 'none') return one
  const sum: Usage = {
    promptTokens: one.promptTokens + other.promptTokens,
    cachedTokens: one.cachedTokens + other.cachedTokens,
    candidateTokens: one.candidateTokens + other.candidateTokens,
    thoughtTokens: one.thoughtTokens + other.thoughtTokens,
    toolUseTokens: one.toolUseTokens + other.toolUseTokens,
    totalTokens: one.totalTokens + other.totalTokens,
    byModality: {
      prompt: addModalities(one.byModality.prompt, other.byModality.prompt),
      cached: addModalities(one.byModality.cached, other.byModality.cached),
      candidates: addModalities(one.byModality.candidates, other.byModality.candidates),
      toolUse: addModalities(one.byModality.toolUse, other.byModality.toolUse),
    },
    identityHolds: one.identityHolds && other.identityHolds,
    source: one.source === 'reported' && other.source === 'reported' ? 'reported' : 'partial',
  }
  const serviceTier = other.serviceTier ?? one.serviceTier
  if (serviceTier !== undefined) sum.serviceTier = serviceTier
  const trafficType = other.trafficType ?? one.trafficType
  if (trafficType !== undefined) sum.trafficType = trafficType
  const initial = one.initialPromptTokens ?? other.initialPromptTokens
  if (initial !== undefined) sum.initialPromptTokens = initial
  if (one.groundingQueries !== undefined || other.groundingQueries !== undefined) {
    sum.groundingQueries = (one.groundingQueries ?? 0) + (other.groundingQueries ?? 0)
  }
  return sum
}

function addModalities(one: ModalityTokens, other: ModalityTokens): ModalityTokens {
  const sum = { ...one }
  for (const [modality, tokens] of Object.entries(other)) sum[modality] = (sum[modality] ?? 0) + tokens
  return sum
}
