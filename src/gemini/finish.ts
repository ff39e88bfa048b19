/** What the model said about its own answer, in the native vocabulary whatever the dialect. */
export type Finish = {
  /** What kind of body it was: a generated answer, embeddings, a token count, or none of them (errors, resources). */
  kind: 'answer' | 'embedding' | 'count' | 'none'
  /**
   * One per candidate, by index: STOP, MAX_TOKENS, SAFETY... an open set. A candidate that never said why it ended
   * holds FINISH_REASON_UNSPECIFIED. OpenAI's and Interactions' words are mapped where they mean the same.
   */
  finishReasons: string[]
  /** The prompt was refused: there are no candidates then. */
  blockReason?: string
  /** Some candidate has something other than thoughts and empty text. */
  hasContent: boolean
  hasFunctionCall: boolean
  /** The resolved model: price by this, not by the one that was asked for. */
  modelVersion?: string
  responseId?: string
  /** Long decode: the answer goes on in another request. */
  continuation: boolean
  /** The model finished: every candidate says STOP and nothing was blocked (embeddings and counts: they are there). */
  complete: boolean
}

/** What is known so far; the readers of the dialects write here while an answer passes. */
export type FinishTally = {
  kind: Finish['kind']
  reasons: (string | undefined)[]
  blockReason: string | undefined
  hasContent: boolean
  hasFunctionCall: boolean
  modelVersion: string | undefined
  responseId: string | undefined
  continuation: boolean
}

const UNSPECIFIED = 'FINISH_REASON_UNSPECIFIED'

/** More candidates than Gemini ever gives; a larger index is junk. */
const MAX_CANDIDATES = 64

/**
 * Numbers of google.ai.generativelanguage.v1beta Candidate.FinishReason, for answers to `$alt=json;enum-encoding=int`.
 * Vertex numbers its own enum alike up to 5 only.
 */
const FINISH_REASONS = [
  UNSPECIFIED,
  'STOP',
  'MAX_TOKENS',
  'SAFETY',
  'RECITATION',
  'OTHER',
  'LANGUAGE',
  'BLOCKLIST',
  'PROHIBITED_CONTENT',
  'SPII',
  'MALFORMED_FUNCTION_CALL',
  'IMAGE_SAFETY',
  'UNEXPECTED_TOOL_CALL',
]

const BLOCK_REASONS = ['BLOCK_REASON_UNSPECIFIED', 'SAFETY', 'OTHER', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'IMAGE_SAFETY']

export function createFinishTally(): FinishTally {
  return {
    kind: 'none',
    reasons: [],
    blockReason: undefined,
    hasContent: false,
    hasFunctionCall: false,
    modelVersion: undefined,
    responseId: undefined,
    continuation: false,
  }
}

/** Notes that a candidate exists, and why it ended when it says so. Reasons are names, or numbers of the enum. */
export function noteCandidate(tally: FinishTally, index: number, reason: unknown): void {
  if (!Number.isInteger(index) || index < 0 || index >= MAX_CANDIDATES) return
  tally.kind = 'answer'
  const name = enumName(reason, FINISH_REASONS, 'FINISH_REASON_')
  while (tally.reasons.length <= index) tally.reasons.push(undefined)
  if (name !== undefined && name !== UNSPECIFIED) tally.reasons[index] = name
}

/** Notes that the prompt was refused. */
export function noteBlock(tally: FinishTally, reason: unknown): void {
  const name = enumName(reason, BLOCK_REASONS, 'BLOCK_REASON_')
  if (name === undefined || name === BLOCK_REASONS[0]) return
  tally.kind = 'answer'
  tally.blockReason = name
}

export function settleFinish(tally: FinishTally): Finish {
  const finishReasons = tally.reasons.map((reason) => reason ?? UNSPECIFIED)
  const stopped = finishReasons.length > 0 && finishReasons.every((reason) => reason === 'STOP')
  const finish: Finish = {
    kind: tally.kind,
    finishReasons,
    hasContent: tally.hasContent,
    hasFunctionCall: tally.hasFunctionCall,
    continuation: tally.continuation,
    complete:
      tally.kind === 'answer'
        ? stopped && tally.blockReason === undefined && !tally.continuation
        : tally.kind === 'embedding' || tally.kind === 'count',
  }
  if (tally.blockReason !== undefined) finish.blockReason = tally.blockReason
  if (tally.modelVersion !== undefined) finish.modelVersion = tally.modelVersion
  if (tally.responseId !== undefined) finish.responseId = tally.responseId
  return finish
}

function enumName(value: unknown, names: string[], prefix: string): string | undefined {
  if (typeof value === 'string' && value !== '') return value
  return typeof value === 'number' ? (names[value] ?? `${prefix}${value}`) : undefined
}
