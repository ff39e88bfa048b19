/** Equal calls in flight, seen from the requests: who leads feeds the others, who follows gets the leader's bytes. */
import type { Exchange } from '../exchange/exchange.ts'
import { GatewayError } from '../gemini/errors.ts'
import type { Coalescer, Head, Leader, Outcome } from './coalesce.ts'
import type { Visit } from './visit.ts'

export type FollowOptions = {
  /** The answer's head is about to go out. @returns headers of ours */
  begin: (head: Head) => string[]
  /** The call has failed before its first byte: ask for oneself, as the new leader if one is given. */
  go: (leader: Leader | undefined, outcome: Outcome) => void
}

/**
 * Follows the call in flight. Until its first byte the request stays with the framework, for it may yet have to go its own way.
 * @returns false when there is none to follow
 */
export function follow(coalescer: Coalescer, flight: string, visit: Visit, { begin, go }: FollowOptions): boolean {
  let answer: ReturnType<Visit['take']> | null = null
  const taken = () => {
    answer ??= visit.take()
    return answer
  }
  const followed = coalescer.follow(flight, {
    head(head) {
      // What a leader's tap saw: the upstream's own flat list.
      taken().head(head.status, '', head.headers as readonly string[], begin(head), 'coalesced')
    },
    // Likewise the upstream's own buffers.
    chunk: (bytes) => taken().write(bytes as Buffer),
    end({ ok, cause }) {
      if (ok) taken().end()
      else taken().breakOff(broken(cause))
    },
    go,
  })
  if (followed === undefined) return false
  visit.onDrain(followed.drained)
  visit.onClose(followed.leave)
  return true
}

/** Lets a call that goes to Gemini feed those who follow it. */
export function lead(exchange: Exchange, leader: Leader): void {
  let answered = false
  let failed = true
  exchange.keepAsking = leader.leave
  leader.onDeserted(() => exchange.cancel?.())
  exchange.taps.push({
    name: 'coalesced followers',
    head({ statusCode, headers, source }) {
      // An answer from elsewhere (memory, another model, an error of ours) is this client's alone.
      if (source !== 'upstream') return
      answered = true
      failed = statusCode === 429 || statusCode >= 500
      leader.head({ status: statusCode, headers })
    },
    chunk(bytes) {
      if (answered) leader.chunk(bytes)
    },
    end: (_outcome, isWhole) => leader.end({ ok: answered && isWhole, failed }),
  })
}

function broken(cause: unknown): GatewayError {
  return new GatewayError('CASTOR_UPSTREAM_BROKEN', 'The connection to Gemini broke before the answer was complete.', {
    cause,
  })
}
