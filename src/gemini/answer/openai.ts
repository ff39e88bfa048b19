import { noteCandidate } from '../finish.ts'
import { countAt, parseSlice, skipSpace, stringAt } from '../scan.ts'
import { list, object, type Shape, skim, value } from '../skim.ts'
import { openaiFields, tier } from '../usage-fields.ts'
import { createUsageTally } from '../usage-tally.ts'
import { createTally, noteError, type Reader } from './tally.ts'

const CHOICE = 1
const INDEX = 2
const REASON = 3
const TEXT = 4
const CALL = 5
const REFUSAL = 6
const USAGE = 7
const MODEL = 8
const RESPONSE = 9
const ERROR = 10
const EMBEDDING = 11
const TIER = 12

const message: Shape = object({
  content: value(TEXT),
  refusal: value(REFUSAL),
  tool_calls: list(value(CALL)),
  function_call: value(CALL),
})

// Errors of the compatible surface may stand in an array of one; `list` takes either.
const response: Shape = list(
  object({
    choices: list(object({ index: value(INDEX), delta: message, message, finish_reason: value(REASON) }, CHOICE)),
    usage: value(USAGE),
    model: value(MODEL),
    id: value(RESPONSE),
    error: value(ERROR),
    data: list(object({ embedding: value(EMBEDDING) })),
    service_tier: value(TIER),
  }),
)

/** OpenAI's words for what Gemini calls otherwise; anything else stays what it is, in upper case. */
const REASONS: Record<string, string> = {
  stop: 'STOP',
  tool_calls: 'STOP',
  function_call: 'STOP',
  length: 'MAX_TOKENS',
  content_filter: 'SAFETY',
}

/** Reads chat completions (whole and as chunks), embeddings and error bodies of the OpenAI-compatible surface. */
export function createOpenaiReader(): Reader {
  const tally = createTally(createUsageTally(openaiFields))
  const { finish } = tally
  let index = -1
  let ordinal = 0
  let reason: string | undefined
  let usageStart = -1
  let usageEnd = -1
  let ends = false

  function sink(id: number, bytes: Buffer, start: number, end: number): void {
    switch (id) {
      case TEXT:
      case REFUSAL:
        // null and "" say nothing.
        if (bytes[start] === 0x6e || end - start <= 2) break
        tally.shown = true
        finish.hasContent = true
        break
      case CALL:
        if (bytes[start] === 0x6e) break
        tally.shown = true
        finish.hasContent = true
        finish.hasFunctionCall = true
        break
      case INDEX:
        index = countAt(bytes, start, end)
        break
      case REASON:
        reason = stringAt(bytes, start, end)
        ends = ends || reason !== undefined
        break
      case CHOICE:
        noteCandidate(
          finish,
          index === -1 ? ordinal : index,
          reason === undefined ? undefined : (REASONS[reason] ?? reason.toUpperCase()),
        )
        ordinal += 1
        index = -1
        reason = undefined
        break
      case USAGE:
        usageStart = start
        usageEnd = end
        break
      case MODEL:
        finish.modelVersion ??= stringAt(bytes, start, end)
        break
      case RESPONSE:
        finish.responseId ??= stringAt(bytes, start, end)
        break
      case ERROR:
        noteError(tally, bytes, start, end)
        break
      case EMBEDDING:
        if (finish.kind === 'none') finish.kind = 'embedding'
        break
      case TIER:
        tally.serviceTier = tier(parseSlice(bytes, start, end)) ?? tally.serviceTier
        break
    }
  }

  return {
    tally,
    read(document, whole) {
      tally.shown = false
      index = -1
      ordinal = 0
      reason = undefined
      usageStart = -1
      ends = whole
      const end = skim(document, skipSpace(document, 0), response, sink)
      // Chunks before the last carry `"usage": null`.
      if (usageStart !== -1 && document[usageStart] === 0x7b) tally.usage.see(document, usageStart, usageEnd, ends)
      else if (ends) tally.usage.ended()
      return end !== -1 && skipSpace(document, end) === document.length
    },
  }
}
