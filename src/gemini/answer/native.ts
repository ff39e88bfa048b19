import { noteBlock, noteCandidate } from '../finish.ts'
import { countAt, parseSlice, skipSpace, stringAt } from '../scan.ts'
import { list, object, type Shape, skim, value } from '../skim.ts'
import { countFields, nativeFields } from '../usage-fields.ts'
import { createUsageTally } from '../usage-tally.ts'
import { createLayout, type Layout } from './layout.ts'
import { createTally, noteError, noteQuery, type Reader } from './tally.ts'

const TEXT = 1
const THOUGHT = 2
const PART = 3
const INDEX = 4
const CANDIDATE = 5
const USAGE = 6
const MODEL = 7
const RESPONSE = 8
/** From here on: what the pieces in the middle of a stream of text do not have. */
const REASON = 9
const CONTINUATION = 10
const CALL = 11
const DATA = 12
const QUERY = 13
const BLOCK = 14
const ERROR = 15
const EMBEDDING = 16
const TOTAL = 17

/** What one part of a content says. */
const part: Shape = object(
  {
    text: value(TEXT),
    thought: value(THOUGHT),
    'functionCall|function_call': value(CALL),
    'inlineData|inline_data': value(DATA),
    'fileData|file_data': value(DATA),
    'executableCode|executable_code': value(DATA),
    'codeExecutionResult|code_execution_result': value(DATA),
  },
  PART,
)

const candidate: Shape = object(
  {
    content: object({ parts: list(part) }),
    'finishReason|finish_reason': value(REASON),
    index: value(INDEX),
    'continuationToken|continuation_token': value(CONTINUATION),
    'groundingMetadata|grounding_metadata': object({
      'webSearchQueries|web_search_queries': list(value(QUERY)),
      'imageSearchQueries|image_search_queries': list(value(QUERY)),
    }),
  },
  CANDIDATE,
)

const response: Shape = list(
  object({
    candidates: list(candidate),
    'promptFeedback|prompt_feedback': object({ 'blockReason|block_reason': value(BLOCK) }),
    'usageMetadata|usage_metadata': value(USAGE),
    'modelVersion|model_version': value(MODEL),
    'responseId|response_id': value(RESPONSE),
    error: value(ERROR),
    'embedding|embeddings': value(EMBEDDING),
    'totalTokens|total_tokens': value(TOTAL),
  }),
)

/**
 * Reads GenerateContentResponse, EmbedContentResponse, BatchEmbedContentsResponse, CountTokensResponse and error
 * bodies, in either casing, enums as names or numbers. One walk over the bytes; only short values are decoded.
 */
export function createNativeReader(): Reader {
  const tally = createTally(createUsageTally(nativeFields))
  const { finish } = tally
  let layout: Layout | undefined
  let index = -1
  let ordinal = 0
  let reason: unknown
  let content = false
  let thought = false
  let usageStart = -1
  let usageEnd = -1
  let ends = false
  let counted = false
  /** For the layout: is this a plain piece of text, where is its text, is it a thought? */
  let plain = false
  let textStart = -1
  let textEnd = -1
  let plainThought = false

  function sink(id: number, bytes: Buffer, start: number, end: number): void {
    if (id >= REASON) plain = false
    switch (id) {
      case TEXT:
        content = content || end - start > 2
        plain = plain && textStart === -1 && bytes[start] === 0x22
        textStart = start
        textEnd = end
        break
      case DATA:
        content = true
        break
      case CALL:
        content = true
        finish.hasFunctionCall = true
        break
      case THOUGHT:
        thought = bytes[start] === 0x74
        break
      case PART:
        notePart(content, thought)
        if (textStart >= start) plainThought = thought
        content = false
        thought = false
        break
      case INDEX:
        index = countAt(bytes, start, end)
        break
      case REASON:
        reason = stringAt(bytes, start, end) ?? parseSlice(bytes, start, end)
        ends = ends || reason !== null
        break
      case CONTINUATION:
        finish.continuation = finish.continuation || end - start > 2
        break
      case CANDIDATE:
        noteCandidate(finish, index === -1 ? ordinal : index, reason)
        ordinal += 1
        index = -1
        reason = undefined
        break
      case QUERY:
        noteQuery(tally, parseSlice(bytes, start, end))
        break
      case BLOCK:
        noteBlock(finish, parseSlice(bytes, start, end))
        ends = true
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
      case TOTAL:
        counted = true
        break
    }
  }

  function notePart(shows: boolean, thinks: boolean): void {
    tally.shown = tally.shown || shows
    finish.hasContent = finish.hasContent || (shows && !thinks)
  }

  /** Takes note of a piece that repeats the one before it, save for its text and figures; false if it does not. */
  function repeats(document: Buffer): boolean {
    if (layout === undefined) return false
    const start = layout.usageIn(document)
    if (start === -1 || !tally.usage.repeat(document, start, start + layout.usageLength())) return false
    notePart(layout.textLength(document) > 0, plainThought)
    return true
  }

  function walk(document: Buffer, whole: boolean): boolean {
    index = -1
    ordinal = 0
    reason = undefined
    usageStart = -1
    ends = whole
    counted = false
    content = false
    thought = false
    plain = !whole
    textStart = -1
    const end = skim(document, skipSpace(document, 0), response, sink)
    if (usageStart !== -1) tally.usage.see(document, usageStart, usageEnd, ends)
    else if (ends) tally.usage.ended()
    if (counted && finish.kind === 'none') {
      finish.kind = 'count'
      tally.usage.add(countFields(parseSlice(document)))
    }
    const sound = end !== -1 && skipSpace(document, end) === document.length
    if (sound && plain && ordinal === 1 && textStart !== -1 && usageStart !== -1) {
      layout ??= createLayout()
      layout.learn(document, textStart, textEnd, usageStart, usageEnd)
    }
    return sound
  }

  return {
    tally,
    read(document, whole) {
      tally.shown = false
      return repeats(document) || walk(document, whole)
    },
  }
}
