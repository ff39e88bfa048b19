/** What the exact cache would have saved on recorded traffic: the same keys, policy and admission, without a gateway. */

import { headerValue } from '../gemini/headers.ts'
import { createObserver, type Observation } from '../gemini/observe.ts'
import { readTarget, type Target } from '../gemini/target.ts'
import { costOf } from '../usage/cost.ts'
import type { Prices } from '../usage/prices.ts'
import { refusal } from './admit.ts'
import type { CacheSettings } from './cache.ts'
import { createKeys } from './key.ts'
import { createLru } from './lru.ts'
import { createPolicy, type Settled } from './policy.ts'
import { type Asking, partsOf } from './question.ts'
import type { RecordedCall } from './recorded.ts'
import { briefTraits, type Traits } from './traits.ts'

/** Sums over calls of one kind. */
export type Saving = {
  calls: number
  /** Asked again while the answer was fresh. */
  exact: number
  /** Asked again while the first call was still in flight. */
  coalesced: number
  savedSeconds: number
  savedUsd: number
  /** What all the calls cost. */
  costUsd: number
}

export type Rehearsal = Saving & {
  /** Not a model call, or without a name that Castor knows. */
  other: number
  /** Calls that would not have been looked up, and answers that would not have been kept, by reason. */
  refused: Record<string, number>
  /** By `operation model`. */
  kinds: Record<string, Saving>
  /** Calls without a time of their own: they count as if made at the same moment, within every TTL. */
  untimed: number
}

type Remembered = { availableAtMs: number; expiresAtMs: number }

export type RehearsalOptions = {
  settings: CacheSettings
  prices: Prices
  /** Answers that memory and store would have held. */
  maxEntries: number
}

/** Kinds told apart; further ones are one. */
const MAX_KINDS = 500

export function createRehearsal({ settings, prices, maxEntries }: RehearsalOptions) {
  const keys = createKeys<Traits>({ secret: 'rehearsal' })
  const policy = createPolicy(settings.policy)
  const remembered = createLru<string, Remembered>(maxEntries)
  const result: Rehearsal = { ...noSaving(), other: 0, refused: {}, kinds: {}, untimed: 0 }

  function see(call: RecordedCall): void {
    const target = targetOf(call)
    if (target === undefined || target.traffic !== 'model' || target.operation === null) {
      result.other++
      return
    }
    const asking = askingOf(call, target)
    const observed = observe(call, target)
    const costUsd = cost(observed, asking.model ?? '', call.startedAtMs ?? Date.now())
    const kind = kindOf(`${target.operation} ${asking.model ?? ''}`)
    for (const sum of [result, kind]) {
      sum.calls++
      sum.costUsd += costUsd
    }
    if (call.startedAtMs === null) result.untimed++
    const question = questionOf(call, target, asking)
    if (typeof question === 'string') return refuse(question)
    const atMs = call.startedAtMs ?? 0
    const known = remembered.get(question.key)
    if (known !== undefined && atMs < known.expiresAtMs) {
      for (const sum of [result, kind]) {
        if (atMs < known.availableAtMs) sum.coalesced++
        else sum.exact++
        sum.savedUsd += costUsd
        // A follower waits as long as the call takes that it follows.
        if (atMs >= known.availableAtMs) sum.savedSeconds += call.durationMs / 1000
      }
      return
    }
    const why = whyNot(call, observed, question.decision)
    if (why !== undefined) return refuse(why)
    const availableAtMs = call.startedAtMs === null ? 0 : atMs + call.durationMs
    remembered.set(question.key, { availableAtMs, expiresAtMs: availableAtMs + question.decision.ttlMs })
  }

  function questionOf({ requestHeaders, requestBody }: RecordedCall, target: Target, asking: Asking) {
    if (target.dialect === 'interactions') return 'interactions'
    const parts = partsOf(asking, requestHeaders, settings)
    const found = keys.keyOf(parts, requestBody, () => briefTraits(requestBody, parts.dialect))
    if ('refused' in found) return found.refused
    const { operation, model } = parts
    const decision = policy.decide({ operation, model, interaction: '', traits: found.note })
    return decision.cache ? { key: found.key.key, decision } : decision.reason
  }

  function whyNot(call: RecordedCall, seen: Observation, decision: Settled): string | undefined {
    const { readable, complete, errorTail, finish } = seen
    const bytes = call.responseBody.length > settings.maxEntryBytes ? undefined : call.responseBody.length
    return refusal(
      { status: call.status, clean: true, fallback: false, readable, complete, errorTail, finish, bytes },
      decision,
    )
  }

  function cost({ usage }: Observation, model: string, atMs: number): number {
    const price = prices.lookup(model, atMs)
    return price === null ? 0 : (costOf(usage, 'standard', price)?.total ?? 0) / 1e9
  }

  function refuse(reason: string): void {
    result.refused[reason] = (result.refused[reason] ?? 0) + 1
  }

  function kindOf(name: string): Saving {
    const at = name in result.kinds || Object.keys(result.kinds).length < MAX_KINDS ? name : 'other'
    result.kinds[at] ??= noSaving()
    return result.kinds[at]
  }

  return { see, result }
}

function noSaving(): Saving {
  return { calls: 0, exact: 0, coalesced: 0, savedSeconds: 0, savedUsd: 0, costUsd: 0 }
}

function targetOf({ method, url }: RecordedCall): Target | undefined {
  try {
    const { pathname, search } = new URL(url, 'http://recorded')
    return readTarget(method, pathname + search)
  } catch {
    // A recording may hold anything; what has no path is no call.
    return undefined
  }
}

/** Who asked is told by the credential, which recordings mostly hide: then all are one. */
function askingOf({ url, requestHeaders, requestBody }: RecordedCall, target: Target): Asking {
  const tenant =
    headerValue(requestHeaders, 'x-goog-api-key') ??
    headerValue(requestHeaders, 'authorization') ??
    /[?&]key=([^&]*)/.exec(url)?.[1] ??
    ''
  return {
    target,
    model: target.model ?? modelIn(requestBody),
    context: null,
    interaction: headerValue(requestHeaders, 'x-castor-interaction') ?? null,
    caller: { tenant, keyId: '', client: null, tags: {}, upstreamKey: null },
  }
}

function modelIn(body: Buffer): string | null {
  try {
    const { model } = JSON.parse(body.toString()) as { model?: unknown }
    return typeof model === 'string' ? model.slice(model.lastIndexOf('/') + 1) : null
  } catch {
    return null
  }
}

function observe({ status, responseHeaders, responseBody }: RecordedCall, { dialect, framing }: Target): Observation {
  const type = headerValue(responseHeaders, 'content-type') ?? ''
  const isEvents = status === 200 && type.startsWith('text/event-stream')
  let seen: Observation | undefined
  // Recorders store bodies decoded, whatever the content coding was.
  const observer = createObserver(
    { dialect, framing: isEvents ? 'sse' : framing === 'array' ? 'array' : 'unary' },
    (observation) => {
      seen = observation
    },
  )
  observer.chunk(responseBody)
  observer.end(true)
  // Plain bytes are read at once.
  return seen as Observation
}
