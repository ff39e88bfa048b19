/** The list of what was asked, bounded, and its sums. */
import type { IncomingMessage } from 'node:http'
import type { CallFilter, CallUsage, RecordedCall } from './options.ts'

export interface Recorder {
  calls: RecordedCall[]
  /** Opens a call; the caller fills it in. */
  begin(request: IncomingMessage): RecordedCall
  /** Books the body as far as the bounds allow. */
  keep(call: RecordedCall, body: Buffer): void
  /** Marks the end; a call ends once. */
  end(call: RecordedCall, aborted: boolean): void
  count(filter?: CallFilter | ((call: RecordedCall) => boolean)): number
  usageTotals(): CallUsage & { calls: number }
  reset(): void
}

export interface RecorderBounds {
  keepBodies: boolean
  keepCalls: number
  keepBytes: number
  clock: () => number
}

const nothing = Buffer.alloc(0)

/** An empty recorder. */
export function createRecorder(bounds: RecorderBounds): Recorder {
  const calls: RecordedCall[] = []
  let begun = 0
  let bytes = 0
  /** Calls before this place have no body any more. */
  let emptied = 0
  let totals = noTotals()
  return {
    calls,
    begin(request) {
      const call: RecordedCall = {
        id: ++begun,
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.rawHeaders,
        body: nothing,
        key: undefined,
        operation: 'unknown',
        model: undefined,
        status: 0,
        startedAt: bounds.clock(),
        endedAt: 0,
        aborted: false,
        usage: undefined,
      }
      calls.push(call)
      if (calls.length > bounds.keepCalls) {
        // a tenth at once: shifting one by one would move the whole list at each call
        const gone = calls.splice(0, Math.max(1, Math.floor(bounds.keepCalls / 10)))
        for (const call of gone) bytes -= call.body.length
        emptied = Math.max(0, emptied - gone.length)
      }
      return call
    },
    keep(call, body) {
      if (!bounds.keepBodies || body.length > bounds.keepBytes) return
      bytes += body.length
      call.body = body
      // the oldest bodies make room; their calls stay
      while (bytes > bounds.keepBytes && emptied < calls.length) {
        const oldest = calls[emptied++]!
        bytes -= oldest.body.length
        oldest.body = nothing
      }
    },
    end(call, aborted) {
      if (call.endedAt !== 0) return
      call.endedAt = bounds.clock()
      call.aborted = aborted
      if (call.usage) addUsage(totals, call.usage)
    },
    count(filter) {
      if (filter === undefined) return begun
      const matches = typeof filter === 'function' ? filter : (call: RecordedCall) => fits(call, filter)
      return calls.filter(matches).length
    },
    usageTotals: () => ({ ...totals }),
    reset() {
      calls.length = 0
      begun = 0
      bytes = 0
      emptied = 0
      totals = noTotals()
    },
  }
}

function fits(call: RecordedCall, filter: CallFilter): boolean {
  return (
    (filter.operation === undefined || filter.operation === call.operation) &&
    (filter.model === undefined || filter.model === call.model) &&
    (filter.key === undefined || filter.key === call.key) &&
    (filter.status === undefined || filter.status === call.status) &&
    (filter.method === undefined || filter.method === call.method) &&
    (filter.aborted === undefined || filter.aborted === call.aborted)
  )
}

function noTotals(): CallUsage & { calls: number } {
  return {
    calls: 0,
    promptTokens: 0,
    cachedTokens: 0,
    candidateTokens: 0,
    thoughtTokens: 0,
    toolUseTokens: 0,
    totalTokens: 0,
  }
}

function addUsage(totals: CallUsage & { calls: number }, usage: CallUsage): void {
  totals.calls++
  totals.promptTokens += usage.promptTokens
  totals.cachedTokens += usage.cachedTokens
  totals.candidateTokens += usage.candidateTokens
  totals.thoughtTokens += usage.thoughtTokens
  totals.toolUseTokens += usage.toolUseTokens
  totals.totalTokens += usage.totalTokens
}
