/** generateContent and streamGenerateContent: an answer in Gemini's own shape. */
import type { Answer, Candidate } from './answer.ts'
import { arrayElement, arrayEnd, sseEvent } from './framing.ts'
import { asObject, type JsonObject } from './json.ts'
import type { CallUsage } from './options.ts'
import { arrayTail, type Frame, googleHeaders, jsonReply, jsonType, type Reply, rawTail, routed } from './reply.ts'
import { pieces } from './text.ts'
import { type Envelope, reported, usageOf } from './usage.ts'

/** The whole answer as one object. */
export function unaryBody(answer: Answer, envelope: Envelope): JsonObject {
  const vertex = envelope.route.dialect === 'vertex'
  const candidates = answer.candidates.map((candidate) => {
    const parts = [...thoughtParts(candidate), ...answerParts(candidate, answer, vertex)]
    return shape(candidate, parts, answer, vertex, true)
  })
  return chunk(answer, candidates, usageOf(answer, envelope, { said: answer.candidateTokens, last: true }), envelope)
}

/** The whole answer in one body. */
export function unaryReply(answer: Answer, envelope: Envelope): Reply {
  const body = unaryBody(answer, envelope)
  const reply = jsonReply(routed(envelope.route, body), { headers: tierHeader(envelope), paced: true })
  const frame = reply.frames[0]!
  frame.tokens = answer.candidateTokens + answer.thoughtTokens
  frame.usage = reported(asObject(body.usageMetadata))
  return reply
}

/** The answer in chunks, framed as SSE or as an array. */
export function streamReply(answer: Answer, envelope: Envelope): Reply {
  const sse = envelope.route.framing === 'sse'
  const frames = chunksOf(answer, envelope).map((item, index): Frame => {
    const value = routed(envelope.route, item.value)
    return { bytes: sse ? sseEvent(value) : arrayElement(value, index), tokens: item.tokens, usage: item.usage }
  })
  const headers = sse ? ['Content-Disposition', 'attachment'] : []
  return {
    status: 200,
    headers: googleHeaders(sse ? 'text/event-stream' : jsonType, [...tierHeader(envelope), ...headers]),
    frames,
    end: sse ? undefined : arrayEnd,
    tail: sse ? rawTail : arrayTail,
    paced: true,
  }
}

interface Chunk {
  value: JsonObject
  tokens: number
  usage: CallUsage | undefined
}

/** One candidate after the other in turn, a few tokens a chunk; finishReason stands on each one's last. */
function chunksOf(answer: Answer, envelope: Envelope): Chunk[] {
  const vertex = envelope.route.dialect === 'vertex'
  if (answer.blockReason) {
    const usage = usageOf(answer, envelope, { said: 0, last: true })
    return [{ value: chunk(answer, [], usage, envelope), tokens: 0, usage: reported(usage) }]
  }
  const queues = answer.candidates.map((candidate) => steps(candidate, answer, vertex, envelope.chunkTokens))
  const chunks: Chunk[] = []
  const total = queues.reduce((sum, queue) => sum + queue.length, 0)
  let said = 0
  for (let round = 0; chunks.length < total; round++) {
    for (const [index, queue] of queues.entries()) {
      const step = queue[round]
      if (!step) continue
      const candidate = answer.candidates[index]!
      said += step.tokens
      const last = chunks.length === total - 1
      const final = round === queue.length - 1
      const usage = usageOf(answer, envelope, {
        said: last ? answer.candidateTokens : Math.min(said, answer.candidateTokens),
        last,
        first: chunks.length === 0,
      })
      const value = chunk(answer, [shape(candidate, step.parts, answer, vertex, final)], usage, envelope)
      chunks.push({
        value,
        tokens: step.tokens + (chunks.length === 0 ? answer.thoughtTokens : 0),
        usage: reported(usage),
      })
    }
  }
  applyUsageFault(chunks, answer, envelope)
  return chunks
}

interface Step {
  parts: JsonObject[]
  tokens: number
}

/** Gemini 3 ends with an empty text part that may carry the signature; older models finish on their last words. */
function steps(candidate: Candidate, answer: Answer, vertex: boolean, chunkTokens: number): Step[] {
  const found: Step[] = thoughtParts(candidate).map((part) => ({ parts: [part], tokens: 0 }))
  if (candidate.calls.length > 0) {
    const parts = answerParts(candidate, answer, vertex)
    const each = Math.ceil(candidate.tokens / parts.length)
    if (answer.model.generation < 3) return [...found, { parts, tokens: candidate.tokens }]
    found.push(...parts.map((part) => ({ parts: [part], tokens: each })), { parts: [{ text: '' }], tokens: 0 })
    return found
  }
  for (const text of pieces(candidate.text, chunkTokens)) {
    found.push({
      parts: [{ text }],
      tokens: Math.ceil((candidate.tokens * text.length) / Math.max(1, candidate.text.length)),
    })
  }
  if (answer.model.generation >= 3 || found.length === 0) {
    const part: JsonObject = { text: '' }
    if (candidate.signature) part.thoughtSignature = candidate.signature
    found.push({ parts: [part], tokens: 0 })
  }
  return found
}

function thoughtParts(candidate: Candidate): JsonObject[] {
  return candidate.thought === undefined ? [] : [{ text: candidate.thought, thought: true }]
}

function answerParts(candidate: Candidate, answer: Answer, vertex: boolean): JsonObject[] {
  if (candidate.calls.length === 0) {
    if (candidate.text === '') return []
    return [{ text: candidate.text, ...(candidate.signature ? { thoughtSignature: candidate.signature } : {}) }]
  }
  return candidate.calls.map((call, index) => {
    const functionCall: JsonObject = { name: call.name, args: call.args }
    if (answer.model.generation >= 3 && !vertex) functionCall.id = call.id
    const part: JsonObject = { functionCall }
    // only the first call of a parallel group is signed
    if (candidate.signature && index === 0) part.thoughtSignature = candidate.signature
    return part
  })
}

/** Field order as recorded: Vertex writes the role first and no index. */
function shape(candidate: Candidate, parts: JsonObject[], answer: Answer, vertex: boolean, final: boolean): JsonObject {
  // an answer cut off while thinking has content without parts
  const content: JsonObject =
    parts.length === 0 ? { role: 'model' } : vertex ? { role: 'model', parts } : { parts, role: 'model' }
  const shaped: JsonObject = { content }
  if (final) shaped.finishReason = candidate.finishReason
  if (!vertex) shaped.index = candidate.index
  if (final && candidate.calls.length > 0 && answer.model.generation < 3) {
    shaped.finishMessage = 'Model generated function call(s).'
  }
  if (final) Object.assign(shaped, answer.grounding)
  if (final && candidate.continuationToken) shaped.continuationToken = candidate.continuationToken
  return shaped
}

function chunk(
  answer: Answer,
  candidates: JsonObject[],
  usage: JsonObject | undefined,
  envelope: Envelope,
): JsonObject {
  const body: JsonObject = {}
  if (answer.blockReason) body.promptFeedback = { blockReason: answer.blockReason }
  else body.candidates = candidates
  if (usage) body.usageMetadata = usage
  body.modelVersion = answer.model.resolved
  if (envelope.route.dialect === 'vertex') body.createTime = envelope.createTime
  body.responseId = envelope.responseId
  return body
}

/** The fault that puts all usage on the first chunk. */
function applyUsageFault(chunks: Chunk[], answer: Answer, envelope: Envelope): void {
  if (!envelope.faults.some((fault) => fault.kind === 'usage' && fault.mode === 'early')) return
  for (const [index, item] of chunks.entries()) {
    delete item.value.usageMetadata
    const usage = index === 0 ? usageOf(answer, envelope, { said: answer.candidateTokens, last: true }) : undefined
    if (usage) item.value.usageMetadata = usage
    item.usage = reported(usage)
  }
}

function tierHeader(envelope: Envelope): string[] {
  return envelope.route.dialect === 'vertex' ? [] : ['X-Gemini-Service-Tier', envelope.tier]
}
