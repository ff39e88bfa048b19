/** Which answers may be remembered. What is stored wrong once is answered wrong until it expires. */
import type { Settled } from './policy.ts'

/** What is known of an answer when it ended; a structural part of src/gemini/observe.ts's Observation. */
export type Answered = {
  status: number
  /** The transport ended properly. */
  clean: boolean
  readable: boolean
  /** The framing came to its own end, and every candidate stopped by itself. */
  complete: boolean
  errorTail?: unknown
  /** Another model than the one asked for answered. */
  fallback: boolean
  /** Of the body, as recorded; undefined when it outgrew the recorder. */
  bytes: number | undefined
  finish: {
    kind: 'answer' | 'embedding' | 'count' | 'none'
    finishReasons: readonly string[]
    blockReason?: string | undefined
    hasContent: boolean
    hasFunctionCall: boolean
    continuation: boolean
  }
}

export type Refusal =
  | 'fallback'
  | 'status'
  | 'broken'
  | 'unreadable'
  | 'blocked'
  | 'continuation'
  | 'max-tokens'
  | 'finish-reason'
  | 'empty'
  | 'function-call'
  | 'too-large'

/** @returns why this answer must not be stored; undefined when it may */
export function refusal(answer: Answered, settled: Settled): Refusal | undefined {
  const { finish } = answer
  if (answer.fallback) return 'fallback'
  if (answer.status !== 200) return 'status'
  if (!answer.clean || answer.errorTail !== undefined) return 'broken'
  if (answer.bytes === undefined) return 'too-large'
  if (!answer.readable) return 'unreadable'
  if (finish.blockReason !== undefined) return 'blocked'
  if (finish.continuation) return 'continuation'
  if (finish.kind === 'none') return 'empty'
  if (finish.kind !== 'answer') return answer.complete ? undefined : 'broken'
  // One candidate cut short spoils the answer, whatever the others say.
  if (finish.finishReasons.length === 0) return 'empty'
  for (const reason of finish.finishReasons) {
    if (reason === 'MAX_TOKENS' && !settled.maxTokensAnswers) return 'max-tokens'
    if (reason !== 'STOP' && reason !== 'MAX_TOKENS') return 'finish-reason'
  }
  if (!finish.hasContent) return 'empty'
  if (finish.hasFunctionCall && !settled.functionCallAnswers) return 'function-call'
  // An answer cut by its limit is never complete; any other must be.
  return answer.complete || finish.finishReasons.includes('MAX_TOKENS') ? undefined : 'broken'
}
