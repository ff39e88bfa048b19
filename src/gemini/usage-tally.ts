import { parseSlice } from './scan.ts'
import type { Usage } from './usage.ts'
import type { ReadFields, UsageFields } from './usage-fields.ts'

/** Gathers the usage of one answer, piece by piece, the last word on each figure winning. */
export type UsageTally = {
  /**
   * The usage object in `bytes[start, end)`; `last` when it stood in the piece that ended the answer, whose figures
   * outrank all others. The bytes are read now or copied.
   */
  see(bytes: Buffer, start: number, end: number, last: boolean): void
  /** Like `see` of a piece that is not the last, if the object has the fields of the one before; false if not. */
  repeat(bytes: Buffer, start: number, end: number): boolean
  /** The piece that ended the answer had no usage: what comes from here on is as final as it gets. */
  ended(): void
  /** Figures that came another way, counted as part of the piece that ended the answer. */
  add(fields: UsageFields): void
  settle(facts: { hasContent: boolean; groundingQueries: number | undefined }): Usage
}

/** Usage objects are a few hundred bytes; a larger one is read at once instead of being put aside. */
const ASIDE_BYTES = 4096

const COUNTS = ['prompt', 'cached', 'candidates', 'thoughts', 'toolUse', 'total'] as const

/**
 * A tally over usage objects that `fields` knows how to read.
 *
 * Every chunk of a Gemini stream repeats the usage with other numbers, and only the last number of each field counts.
 * So an object is put aside unread, and dropped unread when the next one has the same fields. Figures are never summed
 * over chunks: they are cumulative, and promptTokenCount may even shrink.
 */
export function createUsageTally(fields: ReadFields): UsageTally {
  /** Last values before the piece that ended the answer, of that piece, and after it (they fill its gaps). */
  let before: UsageFields | undefined
  let final: UsageFields | undefined
  let after: UsageFields | undefined
  let aside: Buffer | undefined
  let asideLength = 0

  function note(read: UsageFields): void {
    if (final === undefined) before = before === undefined ? read : { ...before, ...read }
    else after = { ...after, ...read }
  }

  function flush(): void {
    if (aside !== undefined && asideLength > 0) note(fields(parseSlice(aside, 0, asideLength)))
    asideLength = 0
  }

  function repeat(bytes: Buffer, start: number, end: number): boolean {
    if (aside === undefined || asideLength !== end - start || !sameFields(aside, asideLength, bytes, start))
      return false
    bytes.copy(aside, 0, start, end)
    return true
  }

  return {
    repeat,
    see(bytes, start, end, last) {
      if (last) {
        flush()
        if (final !== undefined) before = { ...before, ...final, ...after }
        after = undefined
        final = fields(parseSlice(bytes, start, end))
        return
      }
      if (repeat(bytes, start, end)) return
      flush()
      const length = end - start
      if (length > ASIDE_BYTES) {
        note(fields(parseSlice(bytes, start, end)))
        return
      }
      if (aside === undefined || aside.length < length) aside = Buffer.allocUnsafe(length + 128)
      bytes.copy(aside, 0, start, end)
      asideLength = length
    },
    ended() {
      flush()
      final ??= {}
    },
    add(extra) {
      flush()
      final = { ...final, ...extra }
    },
    settle({ hasContent, groundingQueries }) {
      flush()
      const reported = after === undefined ? (final ?? {}) : { ...after, ...final }
      const whole = before === undefined ? reported : { ...before, ...reported }
      return toUsage(whole, reported, hasContent, groundingQueries)
    },
  }
}

/** `whole`: the last value of each field; `reported`: those among them that came with or after the end of the answer. */
function toUsage(whole: UsageFields, reported: UsageFields, hasContent: boolean, queries: number | undefined): Usage {
  const some = COUNTS.some((count) => whole[count] !== undefined)
  const prompt = whole.prompt ?? 0
  const thoughts = whole.thoughts ?? 0
  const toolUse = whole.toolUse ?? 0
  // Without a count of its own, the answer is what the total has beyond the rest.
  const rest = (whole.total ?? 0) - prompt - thoughts - toolUse
  const candidates = whole.candidates ?? (whole.prompt !== undefined && hasContent && rest > 0 ? rest : 0)
  const sum = prompt + candidates + thoughts + toolUse
  const uncounted = hasContent && candidates === 0
  const stale = COUNTS.some((count) => whole[count] !== undefined && reported[count] === undefined)
  const usage: Usage = {
    promptTokens: prompt,
    cachedTokens: whole.cached ?? 0,
    candidateTokens: candidates,
    thoughtTokens: thoughts,
    toolUseTokens: toolUse,
    totalTokens: whole.total ?? sum,
    byModality: {
      prompt: whole.promptBy ?? {},
      cached: whole.cachedBy ?? {},
      candidates: whole.candidatesBy ?? {},
      toolUse: whole.toolUseBy ?? {},
    },
    identityHolds: whole.total === undefined || whole.prompt === undefined || whole.total === sum,
    source: some ? (stale || uncounted ? 'partial' : 'reported') : 'none',
  }
  if (whole.serviceTier !== undefined) usage.serviceTier = whole.serviceTier
  if (whole.trafficType !== undefined) usage.trafficType = whole.trafficType
  // Where Google itself counts the searches, its figure stands.
  const groundingQueries = whole.groundingQueries ?? queries
  if (groundingQueries !== undefined) usage.groundingQueries = groundingQueries
  if (whole.initialPrompt !== undefined) usage.initialPromptTokens = whole.initialPrompt
  return usage
}

/** Are the two JSON texts the same but for their digits, place by place? Then they have the same fields. */
function sameFields(aside: Buffer, length: number, bytes: Buffer, start: number): boolean {
  for (let at = 0; at < length; at += 1) {
    const one = aside[at] as number
    const other = bytes[start + at] as number
    if (one !== other && !(isDigit(one) && isDigit(other))) return false
  }
  return true
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}
