/** An answer as an interaction: steps, usage, and the SSE dialect of its own (LF, `event:` lines, `[DONE]`). */
import type { Answer } from './answer.ts'
import type { JsonObject } from './json.ts'
import type { CallUsage } from './options.ts'
import type { Frame } from './reply.ts'
import { pieces } from './text.ts'
import { countsOf } from './usage.ts'

export interface InteractionHead {
  id: string
  model: string
  created: string
  status: string
  tier: string
  usageMissing: boolean
}

/** Fields in the recorded order, without steps, object and model, which follow them. */
export function interactionOf(head: InteractionHead, answer: Answer): JsonObject {
  return {
    id: head.id,
    status: head.status,
    usage: head.usageMissing ? undefined : usageOf(answer),
    created: head.created,
    updated: head.created,
    service_tier: head.tier,
  }
}

/** Thought with its signature, then text or calls. */
export function stepsOf(answer: Answer): JsonObject[] {
  const candidate = answer.candidates[0]
  if (!candidate) return []
  const steps: JsonObject[] = candidate.signature ? [{ signature: candidate.signature, type: 'thought' }] : []
  if (candidate.calls.length === 0) {
    steps.push({ content: [{ text: candidate.text, type: 'text' }], type: 'model_output' })
    return steps
  }
  for (const call of candidate.calls)
    steps.push({ id: call.id, name: call.name, arguments: call.args, type: 'function_call' })
  return steps
}

/** The events of a streamed interaction, each with the tokens it took. */
export function interactionEvents(head: InteractionHead, answer: Answer, chunkTokens: number): Frame[] {
  const frames: Frame[] = []
  const push = (name: string, data: JsonObject, tokens = 0, usage?: CallUsage) => {
    frames.push({ bytes: `event: ${name}\ndata: ${JSON.stringify({ ...data, event_type: name })}\n\n`, tokens, usage })
  }
  const step = (index: number, start: JsonObject, deltas: { delta: JsonObject; tokens: number }[]) => {
    push('step.start', { index, step: start })
    for (const { delta, tokens } of deltas) push('step.delta', { index, delta }, tokens)
    push('step.stop', { index })
  }
  const candidate = answer.candidates[0]
  const opening = { id: head.id, status: 'in_progress', object: 'interaction', model: head.model }
  push('interaction.created', { interaction: opening })
  push('interaction.status_update', { interaction_id: head.id, status: 'in_progress' })
  let index = 0
  if (candidate?.signature) {
    const delta = { signature: candidate.signature, type: 'thought_signature' }
    step(index++, { type: 'thought' }, [{ delta, tokens: answer.thoughtTokens }])
  }
  for (const call of candidate?.calls ?? []) {
    const delta = { arguments: JSON.stringify(call.args), type: 'arguments_delta' }
    step(index++, { type: 'function_call', id: call.id, name: call.name, arguments: {} }, [
      { delta, tokens: candidate!.tokens },
    ])
  }
  if (candidate && candidate.calls.length === 0) {
    const parts = pieces(candidate.text, chunkTokens)
    const each = Math.ceil(candidate.tokens / Math.max(1, parts.length))
    step(
      index,
      { type: 'model_output' },
      parts.map((text) => ({ delta: { text, type: 'text' }, tokens: each })),
    )
  }
  const closing = { ...interactionOf(head, answer), object: 'interaction', model: head.model }
  push('interaction.completed', { interaction: closing }, 0, head.usageMissing ? undefined : countsOf(answer))
  frames.push({ bytes: 'event: done\ndata: [DONE]\n\n', tokens: 0 })
  return frames
}

/** Tokens in this surface's names. */
export function usageOf(answer: Answer): JsonObject {
  const counted = countsOf(answer)
  return {
    total_tokens: counted.totalTokens,
    total_input_tokens: counted.promptTokens,
    input_tokens_by_modality: Object.entries(answer.modalities).map(([modality, tokens]) => ({
      modality: modality.toLowerCase(),
      tokens,
    })),
    total_cached_tokens: counted.cachedTokens,
    total_output_tokens: counted.candidateTokens,
    total_tool_use_tokens: counted.toolUseTokens,
    total_thought_tokens: counted.thoughtTokens,
  }
}
