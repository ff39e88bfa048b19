/**
 * The exact cache put together: from an exchange to what is done with it, and from an answer to what is kept of it. Knows
 * nothing of Fastify; plugins/cache.ts stands between.
 */
import { type Exchange, whenObserved } from '../exchange/exchange.ts'
import { headerValue } from '../gemini/headers.ts'
import { type Agreement, agreement } from './agreement.ts'
import { type CoalesceOptions, createCoalescer } from './coalesce.ts'
import { convert, type Form } from './convert.ts'
import { readBody } from './encoding.ts'
import type { Entry, EntryHeader } from './entry.ts'
import { type Directives, fitness, readCacheControl } from './freshness.ts'
import { entryOf, refusalOf, take } from './keep.ts'
import { createKeys, type Key, type KeyParts } from './key.ts'
import { createPolicy, type PolicyOptions, type Settled } from './policy.ts'
import { formOf, partitionOf, partsOf, type Scope, tagsOf } from './question.ts'
import { siblings } from './siblings.ts'
import type { Tiers } from './tiers.ts'
import { briefTraits, type Traits } from './traits.ts'
import type { Trust } from './trust.ts'

export type CacheSettings = {
  mode: 'on' | 'shadow' | 'off'
  scope: Scope
  contextAware: boolean
  maxEntryBytes: number
  policy: PolicyOptions
}

export type CacheOptions = {
  settings: () => CacheSettings
  secret: string | Uint8Array
  tiers: Tiers
  trust: Trust
  coalesce?: CoalesceOptions
  /** Epoch ms. */
  now: () => number
  /** What an answer cost, in USD; 0 where it is not known. */
  costUsd: (exchange: Exchange) => number
  /** Told of every answer that was not kept, and why. */
  onRefusal: (reason: string) => void
}

/** A question that may be looked up, stored, or both. */
export type Question = {
  parts: KeyParts
  key: Key
  decision: Settled
  directives: Directives
  form: Form
  /** The purge counter when the request began. */
  generation: number
  tenant: string
  interaction: string
  tags: string[]
}

/** An answer at hand, in the form that the client wants. */
export type Hit = { header: EntryHeader; body: Buffer; chunks: Uint32Array | undefined; contentType: string }

/** `bypass` was not looked up; its `detail` is for Cache-Status. */
export type Asked = { question: Question } | { bypass: string }

export type ExactCache = ReturnType<typeof createCache>

export function createCache(options: CacheOptions) {
  const { tiers, now, trust } = options
  const keys = createKeys<Traits>({ secret: options.secret })
  const coalescer = createCoalescer(options.coalesce)
  let policy = createPolicy(options.settings().policy)

  /** What is asked, read once per body: an exact repeat parses nothing. */
  function ask(exchange: Exchange, rawHeaders: readonly string[], cacheControl: string | undefined): Asked {
    const settings = options.settings()
    const { body } = exchange
    if (settings.mode === 'off' || body === null || exchange.target.dialect === 'interactions') return { bypass: 'off' }
    const directives = readCacheControl(cacheControl)
    if (directives.noStore && !directives.onlyIfCached) return { bypass: 'no-store' }
    const parts = partsOf(exchange, rawHeaders, settings)
    const found = keys.keyOf(parts, body, () => briefTraits(body, parts.dialect))
    if ('refused' in found) return { bypass: found.refused }
    const interaction = exchange.interaction ?? ''
    const { operation, model } = parts
    // Anew each time: a file named in the request grows older.
    const decision = policy.decide({ operation, model, interaction, traits: found.note })
    if (!decision.cache) return { bypass: decision.reason }
    return {
      question: {
        parts,
        key: found.key,
        decision,
        directives,
        form: formOf(exchange, found.key.lifted),
        generation: tiers.generation(),
        // As reports and logs name the caller, so that purges can; the partition tells callers apart.
        tenant: exchange.caller.keyId,
        interaction,
        tags: tagsOf(exchange.tags),
      },
    }
  }

  /** The answer in memory; costs no promise. Undefined: none there, though the store may have one. */
  function peek(question: Question): Hit | undefined {
    const entry = tiers.peek(question.key.key)
    return entry === undefined ? undefined : whole(entry)
  }

  /** The answer from the store, or one in another framing; never rejects, never waits longer than the store's deadline. */
  async function fetch(question: Question): Promise<Hit | undefined> {
    const { key, parts, form, decision, directives } = question
    const others = decision.convert ? siblings(keys, parts, key, form) : []
    const [own, ...rest] = await Promise.all([
      tiers.fetch(key.key),
      ...(others.length === 0 ? [] : [tiers.findOthers(others.map((other) => other.key))]),
    ])
    const isFit = own !== undefined ? fitness(own.entry.header, directives, now()) : 'unfit'
    if (own !== undefined && isFit === 'fresh') return whole(own.entry)
    for (const [index, other] of (rest[0] ?? []).entries()) {
      const from = others[index]
      if (other === undefined || from === undefined) continue
      if (fitness(other.entry.header, directives, now()) !== 'fresh') continue
      const converted = convert(other.entry.body, from.form, form)
      if (converted !== undefined) return { ...converted, header: other.entry.header }
    }
    return own !== undefined && isFit === 'stale' ? whole(own.entry) : undefined
  }

  /** Leaves a tap that keeps the answer, if it turns out to be one worth keeping. */
  function record(exchange: Exchange, question: Question): void {
    take(exchange, 'cache recorder', options.settings().maxEntryBytes, (taken) => {
      const refused = refusalOf(taken, question)
      if (refused !== undefined) return options.onRefusal(refused)
      void entryOf(taken, { question, createdAt: now(), costUsd: options.costUsd(exchange) }).then((entry) => {
        if (entry === undefined) options.onRefusal('unreadable')
        else if (entry.body.length > options.settings().maxEntryBytes) options.onRefusal('too-large')
        else tiers.put(entry)
      })
    })
  }

  /** Leaves a tap that compares Gemini's answer with the remembered one. */
  function compare(exchange: Exchange, question: Question, hit: Hit, done: (agreement: Agreement) => void): void {
    take(exchange, 'cache comparison', options.settings().maxEntryBytes, ({ headers, recording, observation }) => {
      if (recording === undefined || !observation.complete) return
      void readBody(recording.body, headerValue(headers, 'content-encoding')).then((body) => {
        const { form } = question
        done(body === undefined ? 'unread' : agreement({ body, form }, { body: hit.body, form }))
      })
    })
  }

  /** Leaves a tap that learns from Gemini's answer whether it accepts this caller's key. */
  function learnTrust(exchange: Exchange): void {
    if (exchange.caller.upstreamKey !== null) return
    const { tenant } = exchange.caller
    exchange.taps.push({
      name: 'key trust',
      head({ statusCode, source }) {
        if (source !== 'upstream') return
        if (statusCode === 200) trust.accepted(tenant)
        else if (statusCode === 401 || statusCode === 403) trust.refused(tenant)
        else if (statusCode === 400) {
          // A bad key is a 400 at Google; only the words tell it from a bad request.
          whenObserved(exchange, (observation) => {
            if (/API key/i.test(observation?.errorTail?.message ?? '')) trust.refused(tenant)
          })
        }
      },
    })
  }

  return {
    ask,
    peek,
    fetch,
    record,
    compare,
    learnTrust,
    coalescer,
    tiers,
    trust,
    partitionOf: (exchange: Exchange) => partitionOf(exchange, options.settings().scope),
    /** Takes up changed settings. */
    reload(): void {
      policy = createPolicy(options.settings().policy)
    },
  }
}

function whole({ header, body, chunks }: Entry): Hit {
  return { header, body, chunks, contentType: header.contentType }
}
