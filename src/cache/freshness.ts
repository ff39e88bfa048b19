/** Time and the cache, in the words of HTTP: request Cache-Control (RFC 9111 §5.2.1), Age, Cache-Status (RFC 9211). */

export type Directives = {
  noCache: boolean
  noStore: boolean
  onlyIfCached: boolean
  /** ms; undefined when not sent. */
  maxAgeMs: number | undefined
  minFreshMs: number | undefined
  /** Infinity for `max-stale` without a value. */
  maxStaleMs: number | undefined
  /** RFC 5861 §4. */
  staleIfErrorMs: number | undefined
}

export type Life = { createdAt: number; ttlMs: number; staleUntil: number }

/** `fresh` may be served; `stale` only if the upstream fails (or while it is asked anew); `unfit` not at all. */
export type Fitness = 'fresh' | 'stale' | 'unfit'

const NONE: Directives = {
  noCache: false,
  noStore: false,
  onlyIfCached: false,
  maxAgeMs: undefined,
  minFreshMs: undefined,
  maxStaleMs: undefined,
  staleIfErrorMs: undefined,
}

const DIRECTIVE = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*(?:=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*)))?/g

/** RFC 9111 §1.2.2: a longer time is taken as this one. */
const MAX_DELTA_SECONDS = 2 ** 31

/**
 * Reads a request's Cache-Control; several header lines are one list. Unknown directives are ignored, and a time that
 * is no number counts as the strictest (RFC 9111 §4.2.1 leaves it to us): nothing, which means asking again.
 * @param pragma `no-cache` there counts only without Cache-Control (RFC 9111 §5.4)
 */
export function readCacheControl(header: string | string[] | undefined, pragma?: string): Directives {
  if (header === undefined) return /(?:^|,)\s*no-cache\b/i.test(pragma ?? '') ? { ...NONE, noCache: true } : NONE
  const read: Directives = { ...NONE }
  const text = Array.isArray(header) ? header.join(',') : header
  for (const [, name = '', quoted, bare] of text.matchAll(DIRECTIVE)) {
    const value = quoted ?? bare
    switch (name.toLowerCase()) {
      case 'no-cache':
        read.noCache = true
        break
      case 'no-store':
        read.noStore = true
        break
      case 'only-if-cached':
        read.onlyIfCached = true
        break
      case 'max-age':
        read.maxAgeMs = Math.min(delta(value), read.maxAgeMs ?? Number.POSITIVE_INFINITY)
        break
      case 'min-fresh':
        read.minFreshMs = Math.max(delta(value, MAX_DELTA_SECONDS), read.minFreshMs ?? 0)
        break
      case 'max-stale':
        read.maxStaleMs = value === undefined ? Number.POSITIVE_INFINITY : delta(value)
        break
      case 'stale-if-error':
        read.staleIfErrorMs = delta(value)
        break
    }
  }
  return read
}

/** Seconds as ms. */
function delta(value: string | undefined, otherwise = 0): number {
  if (value === undefined || !/^[0-9]+$/.test(value)) return otherwise * 1000
  return Math.min(Number(value), MAX_DELTA_SECONDS) * 1000
}

/** A replica's clock may be ahead by this much; an answer from further on (a clock was set back) would live for ever. */
const MAX_AHEAD_MS = 60_000

/**
 * Whether an answer of this age fits this request.
 * @param atMs epoch ms
 */
export function fitness(life: Life, directives: Directives, atMs: number): Fitness {
  if (life.createdAt - atMs > MAX_AHEAD_MS) return 'unfit'
  const age = ageMs(life, atMs)
  const left = life.ttlMs - age
  if (directives.noCache) return staleOrUnfit(life, directives, atMs)
  const withinAge = directives.maxAgeMs === undefined || age <= directives.maxAgeMs
  if (withinAge && left > 0 && left >= (directives.minFreshMs ?? 0)) return 'fresh'
  // The client itself takes an old answer (RFC 9111 §5.2.1.2).
  const isAccepted = directives.maxStaleMs !== undefined && -left <= directives.maxStaleMs
  if (withinAge && left <= 0 && isAccepted && atMs < life.staleUntil) return 'fresh'
  return staleOrUnfit(life, directives, atMs)
}

/** RFC 5861 §4: the request's own stale-if-error goes before the house's, downwards: we keep nothing for longer. */
function staleOrUnfit(life: Life, directives: Directives, atMs: number): Fitness {
  const expiresAt = life.createdAt + life.ttlMs
  const until = Math.min(life.staleUntil, expiresAt + (directives.staleIfErrorMs ?? Number.POSITIVE_INFINITY))
  return atMs < Math.max(until, expiresAt) ? 'stale' : 'unfit'
}

/** Age of an answer, ms; never negative, though a replica's clock may be ahead. */
export function ageMs(life: Pick<Life, 'createdAt'>, atMs: number): number {
  return Math.max(0, atMs - life.createdAt)
}

/** The Age header: whole seconds (RFC 9111 §5.1). */
export function ageHeader(life: Pick<Life, 'createdAt'>, atMs: number): string {
  return String(Math.floor(ageMs(life, atMs) / 1000))
}

export type CacheStatus =
  | { hit: true; life: Life; detail: 'exact' | 'semantic' | 'coalesced' | 'stale' }
  | { hit: true; detail: 'coalesced' }
  | { hit: false; fwd: 'miss' | 'bypass' | 'stale' | 'request'; stored?: boolean; collapsed?: boolean; detail?: string }

/** The Cache-Status header (RFC 9211): `castor; hit; ttl=3412; detail=exact`, `castor; fwd=miss; stored`. */
export function cacheStatus(status: CacheStatus, atMs: number): string {
  let text = 'castor'
  if (status.hit) {
    text += '; hit'
    // Negative once expired (RFC 9211 §2.4).
    if ('life' in status) text += `; ttl=${Math.floor((status.life.createdAt + status.life.ttlMs - atMs) / 1000)}`
  } else {
    text += `; fwd=${status.fwd}`
    if (status.stored) text += '; stored'
    if (status.collapsed) text += '; collapsed'
  }
  return status.detail === undefined ? text : `${text}; detail=${token(status.detail)}`
}

/** A structured field token where it is one, a string otherwise (RFC 9651 §3.3). */
function token(text: string): string {
  if (/^[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*$/.test(text)) return text
  return `"${text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')}"`
}
