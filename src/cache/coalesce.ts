/**
 * One upstream call for equal questions in flight. The first caller leads; those who come while it runs follow: they get
 * what has come so far, then live. The leader's client may leave, the call goes on while anyone follows. A call that fails
 * before its first byte fails nobody: the oldest follower takes the lead, the rest stay behind it.
 */
import { createFollower, type Follower, type Sink } from './follower.ts'

export type Head = { status: number; headers: unknown }
/** `failed`: it is Gemini that does not answer (or refuses everybody), so asking again at once is of little use. */
export type Outcome = { ok: boolean; failed?: boolean; cause?: unknown }

export type CoalesceOptions = {
  /** Bytes a flight keeps for latecomers; past it nobody joins any more. */
  maxBufferBytes?: number
  /** Bytes a follower may be behind before it is dropped. */
  maxLagBytes?: number
  maxFollowers?: number
  /** How often the lead is handed on before the remaining followers each go alone. */
  maxHandovers?: number
}

/** The leading call's side: a tap, fed after its own client. */
export type Leader = {
  head: (head: Head) => void
  chunk: (bytes: Uint8Array) => void
  /** Ends the flight; `ok` only for an answer that came whole. */
  end: (outcome: Outcome) => void
  /** The leader's client has left. @returns whether followers still want the answer */
  leave: () => boolean
  /** Calls back when the last follower leaves a flight whose leader has left. */
  onDeserted: (abort: () => void) => void
  followers: () => number
}

type Flight = {
  key: string
  head: Head | undefined
  buffered: Uint8Array[]
  bytes: number
  /** The buffer outgrew its bound and was given up. */
  closed: boolean
  followers: Set<Follower>
  leaderLeft: boolean
  handovers: number
  deserted: () => void
}

export type Coalescer = ReturnType<typeof createCoalescer>

export function createCoalescer(options: CoalesceOptions = {}) {
  const maxBufferBytes = options.maxBufferBytes ?? 1024 * 1024
  const maxLagBytes = options.maxLagBytes ?? 1024 * 1024
  const maxFollowers = options.maxFollowers ?? 1000
  const maxHandovers = options.maxHandovers ?? 2
  const flights = new Map<string, Flight>()
  const counts = { led: 0, followed: 0, refused: 0, handedOver: 0, dropped: 0 }

  /** Takes the lead for a key; undefined when somebody has it. The key must name the tenant (key.ts does). */
  function lead(key: string): Leader | undefined {
    if (flights.has(key)) return undefined
    counts.led++
    return start(key, new Set(), 0)
  }

  function start(key: string, followers: Set<Follower>, handovers: number): Leader {
    const flight: Flight = {
      key,
      head: undefined,
      buffered: [],
      bytes: 0,
      closed: false,
      followers,
      leaderLeft: false,
      handovers,
      deserted: () => {},
    }
    flights.set(key, flight)
    return leaderOf(flight)
  }

  function leaderOf(flight: Flight): Leader {
    let ended = false
    return {
      head(head) {
        flight.head = head
      },
      chunk(bytes) {
        if (ended || bytes.length === 0) return
        // An error is no answer to share: its followers will ask for themselves when it ends.
        if (!isGood(flight.head)) return
        keep(flight, bytes)
        for (const follower of flight.followers) follower.push(bytes)
      },
      end(outcome) {
        if (ended) return
        ended = true
        finish(flight, outcome)
      },
      leave() {
        flight.leaderLeft = true
        return flight.followers.size > 0
      },
      onDeserted(abort) {
        flight.deserted = abort
      },
      followers: () => flight.followers.size,
    }
  }

  function keep(flight: Flight, bytes: Uint8Array): void {
    if (flight.bytes === 0 && flight.head !== undefined) {
      for (const follower of flight.followers) follower.begin(flight.head)
    }
    flight.bytes += bytes.length
    if (flight.closed) return
    if (flight.bytes > maxBufferBytes) {
      flight.closed = true
      flight.buffered = []
    } else {
      flight.buffered.push(bytes)
    }
  }

  function finish(flight: Flight, outcome: Outcome): void {
    if (flights.get(flight.key) === flight) flights.delete(flight.key)
    if (flight.bytes === 0 && !(outcome.ok && flight.head !== undefined && isGood(flight.head))) {
      handOver(flight, outcome)
      return
    }
    // A whole answer without a byte of body still has its head.
    if (flight.bytes === 0 && flight.head !== undefined) for (const each of flight.followers) each.begin(flight.head)
    for (const follower of flight.followers) follower.end(outcome)
    flight.followers.clear()
  }

  function handOver(flight: Flight, outcome: Outcome): void {
    const [next, ...rest] = flight.followers
    if (next === undefined) return
    if (flight.handovers >= maxHandovers || flights.has(flight.key)) {
      flight.followers.clear()
      for (const follower of [next, ...rest]) follower.go(undefined, outcome)
      return
    }
    counts.handedOver++
    const followers = new Set(rest)
    const leader = start(flight.key, followers, flight.handovers + 1)
    const moved = flights.get(flight.key)
    for (const follower of rest) follower.move(() => moved !== undefined && desert(moved, follower))
    next.go(leader, outcome)
  }

  /**
   * Follows the call in flight for a key.
   * @returns undefined when there is none, or it takes no more followers: then go yourself, without leading
   */
  function follow(key: string, sink: Sink): { leave: () => void; drained: () => void } | undefined {
    const flight = flights.get(key)
    if (flight === undefined) return undefined
    if (flight.closed || flight.followers.size >= maxFollowers || (flight.head !== undefined && !isGood(flight.head))) {
      counts.refused++
      return undefined
    }
    counts.followed++
    const follower = createFollower(sink, maxLagBytes, () => counts.dropped++)
    follower.move(() => desert(flight, follower))
    flight.followers.add(follower)
    if (flight.bytes > 0 && flight.head !== undefined) {
      follower.begin(flight.head)
      for (const bytes of flight.buffered) follower.push(bytes)
    }
    return { leave: follower.leave, drained: follower.drained }
  }

  function desert(flight: Flight, follower: Follower): void {
    flight.followers.delete(follower)
    if (flight.leaderLeft && flight.followers.size === 0) flight.deserted()
  }

  return { lead, follow, inFlight: () => flights.size, counts }
}

function isGood(head: Head | undefined): boolean {
  return head === undefined || (head.status >= 200 && head.status < 300)
}
