/** One follower of a call in flight: its client may be slower than the leader's, up to a bound. */
import type { Head, Leader, Outcome } from './coalesce.ts'

/** Where a follower's answer goes. A sink that throws is treated as one that has left. */
export type Sink = {
  head: (head: Head) => void
  /** @returns false when the client cannot take more for now; `drained` resumes */
  chunk: (bytes: Uint8Array) => boolean
  /** `ok: false` after bytes were sent: the answer is broken, and must not look complete. */
  end: (outcome: Outcome) => void
  /** Nothing was sent yet and nothing will come: ask for yourself, as the new leader if one is given. */
  go: (leader: Leader | undefined, outcome: Outcome) => void
}

export type Follower = ReturnType<typeof createFollower>

export function createFollower(sink: Sink, maxLagBytes: number, onDropped: () => void) {
  const waiting: Uint8Array[] = []
  let lag = 0
  let blocked = false
  let gone = false
  let outcome: Outcome | undefined
  let detach = () => {}

  /** Binds the follower to the flight it must tell when it goes; again when the lead is handed on. */
  function move(leaveFlight: () => void): void {
    detach = leaveFlight
  }

  function begin(head: Head): void {
    attempt(() => sink.head(head))
  }

  function push(bytes: Uint8Array): void {
    if (gone) return
    if (!blocked) {
      attempt(() => {
        blocked = !sink.chunk(bytes)
      })
      return
    }
    lag += bytes.length
    if (lag > maxLagBytes) {
      onDropped()
      fail(new Error(`a follower fell ${lag} bytes behind`))
      return
    }
    waiting.push(bytes)
  }

  /** The client takes more: sends what waited, and the end if it has come meanwhile. */
  function drained(): void {
    if (gone) return
    blocked = false
    while (!blocked && waiting.length > 0) {
      const bytes = waiting.shift()!
      lag -= bytes.length
      attempt(() => {
        blocked = !sink.chunk(bytes)
      })
      if (gone) return
    }
    if (outcome !== undefined && waiting.length === 0) settle(outcome)
  }

  function end(result: Outcome): void {
    if (gone) return
    if (waiting.length > 0) outcome = result
    else settle(result)
  }

  function settle(result: Outcome): void {
    gone = true
    ignoring(() => sink.end(result))
  }

  function go(leader: Leader | undefined, result: Outcome): void {
    if (gone) {
      leader?.end(result)
      return
    }
    gone = true
    try {
      sink.go(leader, result)
    } catch (cause) {
      // A lead nobody takes would leave those behind it waiting.
      leader?.end({ ok: false, cause })
    }
  }

  function fail(cause: unknown): void {
    leave()
    ignoring(() => sink.end({ ok: false, cause }))
  }

  function leave(): void {
    if (gone) return
    gone = true
    waiting.length = 0
    detach()
  }

  function attempt(job: () => void): void {
    if (gone) return
    try {
      job()
    } catch (cause) {
      fail(cause)
    }
  }

  return { begin, push, drained, end, go, leave, move }
}

/** What a client's side throws on its way out concerns nobody else in the flight. */
function ignoring(job: () => void): void {
  try {
    job()
  } catch {
    // The sink has left.
  }
}
