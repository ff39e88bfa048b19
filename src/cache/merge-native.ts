/** One GenerateContentResponse from the chunks of a stream. */
import { isRecord, type Json, records } from './json.ts'

/** Cumulative or final in each chunk: the last one counts (gemini-wire: usage of the last chunk that has each field). */
const LAST = new Set(['finishReason', 'finishMessage', 'safetyRatings', 'tokenCount', 'index'])

/** The same in every chunk of a stream, or refined by later ones. */
const SAME = new Set(['modelVersion', 'responseId', 'promptFeedback', 'createTime', 'modelStatus'])

/** @returns undefined when two chunks bring a part whose joining is not known (citations, grounding, log probabilities) */
export function mergeNative(chunks: Json[]): Json | undefined {
  const whole: Json = {}
  const candidates = new Map<number, Json>()
  const usage: Json = {}
  for (const chunk of chunks) {
    for (const [name, value] of Object.entries(chunk)) {
      if (name === 'candidates') {
        whole.candidates ??= []
        for (const candidate of records(value)) if (!mergeCandidate(candidates, candidate)) return undefined
      } else if (name === 'usageMetadata' && isRecord(value)) {
        whole.usageMetadata = Object.assign(usage, value)
      } else if (name in whole && !SAME.has(name)) return undefined
      else whole[name] = value
    }
  }
  if (whole.candidates !== undefined) whole.candidates = [...candidates.values()].map(inOrder)
  return whole
}

function mergeCandidate(candidates: Map<number, Json>, candidate: Json): boolean {
  const index = typeof candidate.index === 'number' ? candidate.index : 0
  let into = candidates.get(index)
  if (into === undefined) {
    into = {}
    candidates.set(index, into)
  }
  for (const [name, value] of Object.entries(candidate)) {
    if (name === 'content' && isRecord(value)) {
      const content = mergeContent(isRecord(into.content) ? into.content : undefined, value)
      if (content === undefined) return false
      into.content = content
    } else if (name in into && !LAST.has(name)) return false
    else into[name] = value
  }
  return true
}

function mergeContent(into: Json | undefined, content: Json): Json | undefined {
  const parts = records(into?.parts)
  for (const part of records(content.parts)) {
    // Arguments that arrive in pieces have a unary form only Gemini can give.
    if (
      isRecord(part.functionCall) &&
      ('partialArgs' in part.functionCall || part.functionCall.willContinue === true)
    ) {
      return undefined
    }
    const last = parts.at(-1)
    if (last !== undefined && isPlainText(last) && isPlainText(part) && last.thought === part.thought) {
      parts[parts.length - 1] = { ...last, text: `${last.text}${part.text}` }
    } else parts.push(part)
  }
  const merged: Json = { ...into, ...content }
  if (parts.length > 0) merged.parts = parts
  return merged
}

/** Text that may be joined: a signature binds a part as it stands. */
function isPlainText(part: Json): boolean {
  return typeof part.text === 'string' && Object.keys(part).every((name) => name === 'text' || name === 'thought')
}

/** As Google writes a unary candidate: content, finishReason, the rest. */
function inOrder({ content, finishReason, ...rest }: Json): Json {
  return {
    ...(content === undefined ? {} : { content }),
    ...(finishReason === undefined ? {} : { finishReason }),
    ...rest,
  }
}
