import { noteCandidate } from '../finish.ts'
import { parseSlice, skipSpace, stringAt } from '../scan.ts'
import { list, object, type Shape, skim, value } from '../skim.ts'
import { interactionFields, tier } from '../usage-fields.ts'
import { createUsageTally } from '../usage-tally.ts'
import { createTally, noteError, noteQuery, type Reader } from './tally.ts'

const STATUS = 1
const USAGE = 2
const MODEL = 3
const RESPONSE = 4
const ERROR = 5
const TIER = 6
const CONTINUATION = 7
const STEP = 8
const TYPE = 9
const TEXT = 10
const CONTENT = 11
const QUERY = 12

/** A step, a delta of one, or an output of the older schema: told apart by `type`. */
const step: Shape = object(
  {
    type: value(TYPE),
    text: value(TEXT),
    content: list(value(CONTENT)),
    arguments: object({ queries: list(value(QUERY)) }),
  },
  STEP,
)

const interaction: Record<string, Shape> = {
  id: value(RESPONSE),
  status: value(STATUS),
  usage: value(USAGE),
  model: value(MODEL),
  service_tier: value(TIER),
  continuation_token: value(CONTINUATION),
  'steps|outputs': list(step),
  error: value(ERROR),
}

const response: Shape = list(object({ ...interaction, interaction: object(interaction), 'step|delta': step }))

/** Statuses of an interaction that mean what a finish reason means; the others stay what they are, in upper case. */
const REASONS: Record<string, string | undefined> = {
  completed: 'STOP',
  requires_action: 'STOP',
  requires_continuation: 'CONTINUATION',
  in_progress: undefined,
  queued: undefined,
}

/** Types whose mere presence is content. */
const CONTENT_TYPES = new Set(['audio', 'image', 'video', 'document'])

/** Reads interactions, whole and as events (`interaction.created` … `interaction.completed`). */
export function createInteractionsReader(): Reader {
  const tally = createTally(createUsageTally(interactionFields))
  const { finish } = tally
  let type: string | undefined
  let filled = false
  let queries: unknown[] = []
  let usageStart = -1
  let usageEnd = -1
  let ends = false

  function noteStep(): void {
    if (type === 'function_call') finish.hasFunctionCall = true
    if (type === 'google_search_call') for (const query of queries) noteQuery(tally, query)
    const content =
      type === 'function_call' ||
      (type !== undefined && CONTENT_TYPES.has(type)) ||
      (filled && (type === 'model_output' || type === 'text'))
    finish.hasContent = finish.hasContent || content
    tally.shown = tally.shown || content || type === 'thought_summary'
    type = undefined
    filled = false
    queries = []
  }

  function noteStatus(status: string | undefined): void {
    if (status === undefined) return
    const reason = status in REASONS ? REASONS[status] : status.toUpperCase()
    noteCandidate(finish, 0, reason)
    ends = ends || reason !== undefined
  }

  function sink(id: number, bytes: Buffer, start: number, end: number): void {
    switch (id) {
      case TYPE:
        type = stringAt(bytes, start, end)
        break
      case TEXT:
      case CONTENT:
        filled = filled || end - start > 2
        break
      case QUERY:
        queries.push(parseSlice(bytes, start, end))
        break
      case STEP:
        noteStep()
        break
      case STATUS:
        noteStatus(stringAt(bytes, start, end))
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
      case TIER:
        tally.serviceTier = tier(parseSlice(bytes, start, end)) ?? tally.serviceTier
        break
      case CONTINUATION:
        finish.continuation = finish.continuation || end - start > 2
        break
      case ERROR:
        noteError(tally, bytes, start, end)
        break
    }
  }

  return {
    tally,
    read(document, whole) {
      tally.shown = false
      type = undefined
      filled = false
      queries = []
      usageStart = -1
      ends = whole
      const end = skim(document, skipSpace(document, 0), response, sink)
      if (usageStart !== -1) tally.usage.see(document, usageStart, usageEnd, ends)
      else if (ends) tally.usage.ended()
      return end !== -1 && skipSpace(document, end) === document.length
    },
  }
}
