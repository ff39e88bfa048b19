import { createFinishTally, type FinishTally } from '../finish.ts'
import { parseSlice } from '../scan.ts'
import type { UsageTally } from '../usage-tally.ts'

/** An error as it stood in the answer: a whole body, an event, or the raw tail of a broken stream. */
export type WireError = { code?: number; status?: string; message: string }

/** What the documents of one answer have said so far. */
export type Tally = {
  finish: FinishTally
  usage: UsageTally
  /** Distinct search queries, while there are few enough to keep. */
  queries: Set<string> | undefined
  error: WireError | undefined
  /** The tier, in the dialects that tell it outside the usage object. */
  serviceTier: string | undefined
  /** The document read last had something to show, thoughts included. */
  shown: boolean
}

/** Reads the documents of one answer in one dialect. */
export type Reader = {
  tally: Tally
  /**
   * Reads one JSON document. `whole`: it is the complete answer, not an event of a stream. False when it is not JSON;
   * what stood before the fault has been taken note of.
   */
  read(document: Buffer, whole: boolean): boolean
}

/** More distinct queries than this are not told apart any more; a real answer has a handful. */
const MAX_QUERIES = 1000

export function createTally(usage: UsageTally): Tally {
  return {
    finish: createFinishTally(),
    usage,
    queries: undefined,
    error: undefined,
    serviceTier: undefined,
    shown: false,
  }
}

/** Google counts distinct queries and does not bill empty ones (ai.google.dev, Grounding with Google Search). */
export function noteQuery(tally: Tally, query: unknown): void {
  if (typeof query !== 'string' || query.trim() === '') return
  tally.queries ??= new Set()
  if (tally.queries.size < MAX_QUERIES) tally.queries.add(query)
}

/** google.rpc.Status, OpenAI's error object, or the `{code, message}` of an interaction. */
export function noteError(tally: Tally, bytes: Buffer, start: number, end: number): void {
  const error = parseSlice(bytes, start, end)
  if (typeof error !== 'object' || error === null) return
  const { code, status, message, type } = error as Record<string, unknown>
  const name = [status, typeof code === 'string' ? code : undefined, type].find((word) => typeof word === 'string')
  const noted: WireError = { message: typeof message === 'string' ? message : '' }
  if (typeof code === 'number') noted.code = code
  if (typeof name === 'string') noted.status = name
  tally.error = noted
}
