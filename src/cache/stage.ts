/**
 * The cache's stage on a request's way: answers from memory, joins an equal call in flight, or lets the request go on and
 * keeps its answer. Nothing here may hold up or break a request that could also be asked of Gemini.
 */
import type { CacheOutcome, Exchange } from '../exchange/exchange.ts'
import { GatewayError } from '../gemini/errors.ts'
import type { Agreement } from './agreement.ts'
import type { ExactCache, Hit, Question } from './cache.ts'
import type { Leader } from './coalesce.ts'
import { follow, lead } from './flight.ts'
import { ageMs, cacheStatus, fitness, readCacheControl } from './freshness.ts'
import { ownHead, serve } from './serve.ts'
import type { Visit } from './visit.ts'

export type StageOptions = {
  cache: ExactCache
  settings: () => {
    mode: 'on' | 'shadow' | 'off'
    coalesce: boolean
    scope: string
    hideStatus: boolean
    replay: 'instant' | 'paced'
  }
  /** Epoch ms. */
  now: () => number
  /** Told once what the cache did with a call, and what a hit has saved. */
  counted: (exchange: Exchange, outcome: CacheOutcome, hit: Hit | undefined) => void
  /** Told what became of a comparison in shadow mode. */
  compared: (agreement: Agreement) => void
}

/** An answer is asked for anew at most this often, ms; and so many at a time. */
const REFRESH_MS = 30_000
const MAX_REFRESHING = 100

export function createStage({ cache, settings, now, counted, compared }: StageOptions) {
  const refreshing = new Map<string, number>()

  function visit(visit: Visit): void {
    const { exchange } = visit
    const startedAt = performance.now()
    const asked = cache.ask(exchange, visit.rawHeaders, visit.cacheControl)
    if ('bypass' in asked) {
      exchange.timings.cache = performance.now() - startedAt
      return bypass(visit, asked.bypass)
    }
    const { question } = asked
    const isServed = mayServe(exchange)
    const found = isServed ? cache.peek(question) : undefined
    if (found !== undefined && fitness(found.header, question.directives, now()) === 'fresh') {
      exchange.timings.cache = performance.now() - startedAt
      return settle(visit, question, found)
    }
    if (!isServed || question.directives.noCache) {
      exchange.timings.cache = performance.now() - startedAt
      return settle(visit, question, found)
    }
    cache.fetch(question).then((fetched) => {
      exchange.timings.cache = performance.now() - startedAt
      settle(visit, question, fetched ?? found)
    }, visit.next)
  }

  function bypass(visit: Visit, reason: string): void {
    // RFC 9111 §5.2.1.7: whoever asks for memory alone must not be sent to Gemini.
    if (readCacheControl(visit.cacheControl).onlyIfCached) return refuse(visit, 'bypass')
    cache.learnTrust(visit.exchange)
    if (reason === 'off') return visit.next()
    note(visit.exchange, 'bypass')
    annotate(visit.exchange, () => cacheStatus({ hit: false, fwd: 'bypass', detail: reason }, now()))
    visit.next()
  }

  /** A caller with a key of its own gets nothing from memory before Gemini has accepted that key. */
  function mayServe({ caller }: Exchange): boolean {
    return caller.upstreamKey !== null || cache.trust.holds(caller.tenant)
  }

  function settle(visit: Visit, question: Question, found: Hit | undefined): void {
    // The client has left while the store was asked.
    if (visit.exchange.outcome !== null) return
    const fit = found === undefined ? 'unfit' : fitness(found.header, question.directives, now())
    const isShadow = settings().mode === 'shadow'
    if (found !== undefined && fit === 'fresh') {
      return isShadow ? shadow(visit, question, found) : give(visit, found, 'exact')
    }
    if (isShadow) return keepAnswer(visit, question, undefined)
    if (found !== undefined && fit === 'stale' && isWithinRevalidation(question, found)) {
      refreshOnce(visit, question)
      return give(visit, found, 'stale')
    }
    if (question.directives.onlyIfCached) return refuse(visit, 'miss')
    const stale = fit === 'stale' && standsIn(question) ? found : undefined
    if (stale !== undefined) standBy(visit, stale)
    if (mayJoin(visit.exchange, question)) return join(visit, question, stale)
    keepAnswer(visit, question, undefined)
  }

  /** stale-while-revalidate; not for a client that has set a bound of its own to the answer's age. */
  function isWithinRevalidation({ decision, directives }: Question, { header }: Hit): boolean {
    const { noCache, maxAgeMs, minFreshMs } = directives
    const age = ageMs(header, now())
    if (noCache || minFreshMs !== undefined || age < header.ttlMs) return false
    return age < header.ttlMs + decision.staleWhileRevalidateMs && (maxAgeMs === undefined || age <= maxAgeMs)
  }

  /** Whoever asks for a fresh answer gets an old one only when it says so (RFC 9111 §5.2.1.4, RFC 5861 §4). */
  function standsIn({ directives }: Question): boolean {
    return !directives.noCache || directives.staleIfErrorMs !== undefined
  }

  function mayJoin(exchange: Exchange, { directives }: Question): boolean {
    const { coalesce, scope } = settings()
    // Within a shared partition, a flight is as good as a hit: for keys that Gemini has accepted.
    return coalesce && !directives.noCache && (scope === 'key' || mayServe(exchange))
  }

  function refreshOnce(visit: Visit, question: Question): void {
    const { key } = question.key
    const at = now()
    for (const [other, since] of refreshing) if (at - since >= REFRESH_MS) refreshing.delete(other)
    if (refreshing.has(key) || refreshing.size >= MAX_REFRESHING) return
    refreshing.set(key, at)
    visit.refresh()
  }

  /** Should Gemini fail before its first byte, the old answer is better than none (RFC 5861 §4). */
  function standBy(visit: Visit, stale: Hit): void {
    const { exchange } = visit
    exchange.rescue = () => {
      exchange.rescue = null
      exchange.annotate = null
      give(visit, stale, 'stale')
      return true
    }
  }

  /** Follows an equal call in flight, or goes on as the one that others may follow. */
  function join(visit: Visit, question: Question, stale: Hit | undefined): void {
    const { exchange } = visit
    // Bytes are shared as they come, so only callers that accept the same codings can share them.
    const flight = `${question.key.key} ${visit.acceptEncoding ?? ''}`
    const leader = cache.coalescer.lead(flight)
    if (leader !== undefined) return keepAnswer(visit, question, leader)
    const isFollowing = follow(cache.coalescer, flight, visit, {
      begin() {
        note(exchange, 'coalesced')
        annotate(exchange, () => cacheStatus({ hit: true, detail: 'coalesced' }, now()))
        const headers: string[] = []
        ownHead(exchange, exchange.model, headers)
        return headers
      },
      go(lead, outcome) {
        if (stale === undefined || !outcome.failed) return keepAnswer(visit, question, lead)
        // What failed the leader would fail this one too, and those behind it: each has its old answer.
        give(visit, stale, 'stale')
        lead?.end(outcome)
      },
    })
    if (!isFollowing) keepAnswer(visit, question, undefined)
  }

  /** On to Gemini; the answer is kept when it is worth it, and passed to those who follow. */
  function keepAnswer(visit: Visit, question: Question, leader: Leader | undefined): void {
    const { exchange } = visit
    const fwd = question.directives.noCache ? 'request' : 'miss'
    annotate(exchange, (status) => cacheStatus({ hit: false, fwd, stored: status === 200 }, now()))
    exchange.taps.push({
      name: 'cache count',
      end() {
        // An old answer that stood in has been counted as such.
        if (exchange.cache === 'miss') counted(exchange, 'miss', undefined)
      },
    })
    exchange.cache = 'miss'
    cache.learnTrust(exchange)
    cache.record(exchange, question)
    if (leader !== undefined) lead(exchange, leader)
    visit.next()
  }

  function give(visit: Visit, hit: Hit, detail: 'exact' | 'stale'): void {
    const { hideStatus, replay } = settings()
    note(visit.exchange, detail, hit)
    serve(visit, hit, { atMs: now(), detail, hideStatus, paced: replay === 'paced' })
  }

  /** Asked all the same: only what a hit would have saved is noted, and whether it would have been the same. */
  function shadow(visit: Visit, question: Question, hit: Hit): void {
    const { exchange } = visit
    note(exchange, 'shadow', hit)
    annotate(exchange, () => cacheStatus({ hit: false, fwd: 'bypass', detail: 'shadow' }, now()))
    cache.learnTrust(exchange)
    cache.compare(exchange, question, hit, compared)
    visit.next()
  }

  function refuse(visit: Visit, outcome: 'miss' | 'bypass'): void {
    note(visit.exchange, outcome)
    visit.next(
      new GatewayError(
        'CASTOR_NOT_IN_CACHE',
        'Memory has no answer to this request, and only-if-cached forbids to ask Gemini.',
      ),
    )
  }

  function note(exchange: Exchange, outcome: CacheOutcome, hit?: Hit): void {
    exchange.cache = outcome
    counted(exchange, outcome, hit)
  }

  function annotate(exchange: Exchange, status: (statusCode: number) => string): void {
    if (settings().hideStatus) return
    exchange.annotate = (statusCode, headers) => headers.push('cache-status', status(statusCode))
  }

  return { visit }
}
