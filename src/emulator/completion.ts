/** An answer as OpenAI's chat.completion, whole or in chunks. */
import type { Answer, Candidate } from './answer.ts'
import type { JsonObject } from './json.ts'
import type { CallUsage } from './options.ts'
import type { Frame } from './reply.ts'
import { pieces } from './text.ts'
import { countsOf } from './usage.ts'

export interface CompletionFrame {
  id: string
  /** Seconds since the epoch. */
  created: number
  /** As the client wrote it. */
  model: string
  usageMissing: boolean
}

/** `{"object":"chat.completion"}`; names in alphabetical order, as Google writes them here. */
export function asCompletion(answer: Answer, frame: CompletionFrame): JsonObject {
  const choices = answer.candidates.map((candidate) => {
    const message: JsonObject = {}
    if (candidate.calls.length === 0) message.content = candidate.text
    message.role = 'assistant'
    if (candidate.calls.length > 0) message.tool_calls = toolCalls(candidate)
    return { finish_reason: finish(candidate), index: candidate.index, message }
  })
  return {
    choices,
    created: frame.created,
    id: frame.id,
    model: frame.model,
    object: 'chat.completion',
    usage: frame.usageMissing ? undefined : usage(answer),
  }
}

/** SSE with LF: text deltas, the finish, usage when it is wanted, then `data: [DONE]`. */
export function completionChunks(
  answer: Answer,
  frame: CompletionFrame,
  chunkTokens: number,
  wantsUsage: boolean,
): Frame[] {
  const frames: Frame[] = []
  const push = (choices: JsonObject[], tokens: number, more: JsonObject = {}, counted?: CallUsage) => {
    const head = { choices, created: frame.created, id: frame.id, model: frame.model, object: 'chat.completion.chunk' }
    frames.push({ bytes: `data: ${JSON.stringify({ ...head, ...more })}\n\n`, tokens, usage: counted })
  }
  for (const candidate of answer.candidates) {
    const deltas: JsonObject[] =
      candidate.calls.length > 0
        ? [{ role: 'assistant', tool_calls: toolCalls(candidate) }]
        : pieces(candidate.text, chunkTokens).map((content) => ({ content, role: 'assistant' }))
    if (deltas.length === 0) deltas.push({ role: 'assistant' })
    for (const [index, delta] of deltas.entries()) {
      const choice: JsonObject = { delta }
      if (index === deltas.length - 1) choice.finish_reason = finish(candidate)
      choice.index = candidate.index
      push([choice], Math.ceil(candidate.tokens / deltas.length) + (frames.length === 0 ? answer.thoughtTokens : 0))
    }
  }
  if (wantsUsage && !frame.usageMissing) push([], 0, { usage: usage(answer) }, countsOf(answer))
  frames.push({ bytes: 'data: [DONE]\n\n', tokens: 0 })
  return frames
}

function toolCalls(candidate: Candidate): JsonObject[] {
  return candidate.calls.map((call, index) => {
    const shaped: JsonObject = {}
    // clients must send the signature back with the call
    if (candidate.signature && index === 0)
      shaped.extra_content = { google: { thought_signature: candidate.signature } }
    shaped.function = { arguments: JSON.stringify(call.args), name: call.name }
    shaped.id = call.id
    shaped.index = index
    shaped.type = 'function'
    return shaped
  })
}

function finish(candidate: Candidate): string {
  if (candidate.calls.length > 0) return 'tool_calls'
  if (candidate.finishReason === 'STOP') return 'stop'
  return candidate.finishReason === 'MAX_TOKENS' ? 'length' : 'content_filter'
}

/** Thoughts are in the total and in nothing else, as Google counts here. */
function usage(answer: Answer): JsonObject {
  const counted = countsOf(answer)
  const shaped: JsonObject = { completion_tokens: counted.candidateTokens, prompt_tokens: counted.promptTokens }
  if (counted.cachedTokens > 0) shaped.prompt_tokens_details = { cached_tokens: counted.cachedTokens }
  shaped.total_tokens = counted.totalTokens
  return shaped
}
