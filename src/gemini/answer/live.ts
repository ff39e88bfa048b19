import { noteCandidate } from '../finish.ts'
import { parseSlice, skipSpace } from '../scan.ts'
import { list, object, type Shape, skim, value } from '../skim.ts'
import { addUsage, noUsage } from '../usage.ts'
import { nativeFields } from '../usage-fields.ts'
import { createUsageTally, type UsageTally } from '../usage-tally.ts'
import { createTally, noteError, noteQuery, type Reader } from './tally.ts'

const PART = 1
const SPOKEN = 2
const TURN_COMPLETE = 3
const CALL = 4
const QUERY = 5
const USAGE = 6
const ERROR = 7

const frame: Shape = list(
  object({
    'serverContent|server_content': object({
      'modelTurn|model_turn': object({ parts: list(value(PART)) }),
      'turnComplete|turn_complete': value(TURN_COMPLETE),
      'outputTranscription|output_transcription': object({ text: value(SPOKEN) }),
      'groundingMetadata|grounding_metadata': object({ 'webSearchQueries|web_search_queries': list(value(QUERY)) }),
    }),
    'toolCall|tool_call': object({ 'functionCalls|function_calls': list(value(CALL)) }),
    'usageMetadata|usage_metadata': value(USAGE),
    error: value(ERROR),
  }),
)

/**
 * Reads the server's frames of one Live session. Usage is reported per turn, each turn's prompt holding the whole
 * context again (measured: pydantic/pydantic-ai#7269), so the last figures of each turn are summed over turns. A tool
 * call ends a generation too. Live gives no finish reason: the session reads STOP while its last turn is complete.
 */
export function createLiveReader(): Reader {
  const usage = createTurnUsage()
  const tally = createTally(usage)
  const { finish } = tally
  let complete = false
  let called = false
  let spoke = false
  let usageStart = -1
  let usageEnd = -1

  function sink(id: number, bytes: Buffer, start: number, end: number): void {
    switch (id) {
      case PART:
      case SPOKEN:
        spoke = spoke || end - start > 2
        break
      case TURN_COMPLETE:
        complete = bytes[start] === 0x74
        break
      case CALL:
        called = true
        break
      case QUERY:
        noteQuery(tally, parseSlice(bytes, start, end))
        break
      case USAGE:
        usageStart = start
        usageEnd = end
        break
      case ERROR:
        noteError(tally, bytes, start, end)
        break
    }
  }

  return {
    tally,
    read(document) {
      complete = false
      called = false
      spoke = false
      usageStart = -1
      const end = skim(document, skipSpace(document, 0), frame, sink)
      tally.shown = spoke || called
      finish.hasContent = finish.hasContent || tally.shown
      finish.hasFunctionCall = finish.hasFunctionCall || called
      if (tally.shown) {
        finish.reasons[0] = undefined
        noteCandidate(finish, 0, undefined)
      }
      if (usageStart !== -1) usage.see(document, usageStart, usageEnd, true)
      if (complete || called) usage.endTurn()
      if (complete) noteCandidate(finish, 0, 'STOP')
      else if (tally.shown) usage.startTurn()
      return end !== -1 && skipSpace(document, end) === document.length
    },
  }
}

type TurnUsage = UsageTally & { startTurn(): void; endTurn(): void }

function createTurnUsage(): TurnUsage {
  let turn: UsageTally | undefined
  let sum = noUsage()
  /** The turn is over; figures that arrive before the next one begins are still its own. */
  let over = false

  function book(): void {
    if (turn !== undefined) sum = addUsage(sum, turn.settle({ hasContent: false, groundingQueries: undefined }))
    turn = undefined
  }

  return {
    see(bytes, start, end, last) {
      turn ??= createUsageTally(nativeFields)
      turn.see(bytes, start, end, last)
      if (over) book()
    },
    repeat: () => false,
    add(fields) {
      turn ??= createUsageTally(nativeFields)
      turn.add(fields)
    },
    ended() {},
    startTurn() {
      over = false
    },
    endTurn() {
      over = true
      book()
    },
    settle({ groundingQueries }) {
      book()
      return groundingQueries === undefined ? sum : { ...sum, groundingQueries }
    },
  }
}
