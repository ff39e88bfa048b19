/** What would raise the hit rate: told from the keys of answers that were asked for again after they had gone (ghosts.ts). */
import type { GhostHits } from './ghosts.ts'

export type Advice = {
  /** Path in gateway.yaml. */
  setting: 'cache.ttl' | 'cache.maxEntries' | 'cache.maxBytes'
  /** ms for the TTL, entries or bytes otherwise. */
  from: number
  to: number
  why: string
  /** Misses of the time observed that would have been hits, and what they came to. */
  hits: number
  savedUsd: number
  savedSeconds: number
  /** The same, each day at this rate. */
  perDay: { hits: number; savedUsd: number; savedSeconds: number }
  yaml: string
}

export type Observed = {
  ghosts: GhostHits
  /** For how long, ms. */
  elapsedMs: number
  ttlMs: number
  held: { entries: number; bytes: number }
  bounds: { maxEntries: number; maxBytes: number }
}

const DAY_MS = 86_400_000
/** As the settings allow. */
const LONGEST_TTL_MS = 365 * DAY_MS
const MOST_ENTRIES = 10_000_000
const MOST_BYTES = 1e12

/** Changes worth making, dearest first; none when nothing was asked for twice too late. */
export function adviceOf(observed: Observed): Advice[] {
  const { ghosts, ttlMs, held, bounds } = observed
  const all: Advice[] = []
  const longer = Math.min(ttlMs * 2, LONGEST_TTL_MS)
  if (ghosts.ttl.hits > 0 && longer > ttlMs) {
    const why = 'Answers were asked for again after they had expired, within twice their life.'
    all.push(advice('cache.ttl', ttlMs, longer, why, ghosts.ttl, observed))
  }
  // The bound that is nearer pushes answers out.
  const byBytes = held.bytes / bounds.maxBytes > held.entries / bounds.maxEntries
  const [setting, from, most] = byBytes
    ? (['cache.maxBytes', bounds.maxBytes, MOST_BYTES] as const)
    : (['cache.maxEntries', bounds.maxEntries, MOST_ENTRIES] as const)
  const to = Math.min(from * 2, most)
  if (ghosts.size.hits > 0 && to > from) {
    const why =
      'Answers were asked for again after others had pushed them out of memory; about twice the room held them.'
    all.push(advice(setting, from, to, why, ghosts.size, observed))
  }
  return all.sort((one, other) => other.savedUsd - one.savedUsd || other.hits - one.hits)
}

function advice(
  setting: Advice['setting'],
  from: number,
  to: number,
  why: string,
  missed: GhostHits['ttl'],
  { elapsedMs }: Observed,
): Advice {
  const days = Math.max(elapsedMs, 1) / DAY_MS
  const savedSeconds = missed.latencyMs / 1000
  const perDay = { hits: missed.hits / days, savedUsd: missed.costUsd / days, savedSeconds: savedSeconds / days }
  const [section, name] = setting.split('.')
  return {
    setting,
    from,
    to,
    why,
    hits: missed.hits,
    savedUsd: missed.costUsd,
    savedSeconds,
    perDay,
    yaml: `${section}:\n  ${name}: ${written(setting, to)}\n`,
  }
}

/** A value as gateway.yaml writes it. */
function written(setting: Advice['setting'], value: number): string {
  if (setting === 'cache.maxEntries') return String(value)
  if (setting === 'cache.maxBytes') return value % 1e6 === 0 ? `${value / 1e6}MB` : `${Math.ceil(value / 1000)}KB`
  return value % 3_600_000 === 0 ? `${value / 3_600_000}h` : `${Math.round(value / 1000)}s`
}
