// Metering: counts all of it. Third, before limits, cache and everything that may answer or refuse: what is not metered from here on would
// be missing from the bill. It leaves a tap that reads a copy of the answer, and writes the one log line of the request when both
// the answer and its reading are over.
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { usageHealth, usageSources } from '../src/admin/usage.ts'
import {
  type AnswerHead,
  type AnswerSource,
  type Exchange,
  type Outcome,
  settleObservation,
  type Tap,
} from '../src/exchange/exchange.ts'
import { headerValue } from '../src/gemini/headers.ts'
import { createObserver, type Observation, type Observer } from '../src/gemini/observe.ts'
import { createModelLabels, type Metrics } from '../src/metrics/registry.ts'
import { openBooks } from '../src/usage/books.ts'
import { servedTierOf } from '../src/usage/settle.ts'

export default fp(
  async function metering(app) {
    const { settings, metrics, desk } = app.castor
    const modelLabel = createModelLabels(() => settings.current.metrics.models)
    const books = settings.current.metering.enabled ? open() : null
    app.castor.books = books
    if (books !== null) {
      desk.parts.set('usage', () => usageHealth(books.ledger.state()))
      Object.assign(desk.sources, usageSources(app.castor, books))
      await books.restore()
    }
    settings.onChange(() => books?.reload())
    // Answers that still have to be read; those of a compressed stream are ready a moment after its end.
    let unread = 0
    // Fastify closes in the reverse order of registration: what upstream ends last is booked before.
    app.addHook('onClose', async () => {
      const deadline = performance.now() + lastReadingMs
      while (unread > 0 && performance.now() < deadline) await sleep(5)
      await books?.close()
    })

    app.addHook('onRequest', function watch(request, _reply, done) {
      const { exchange } = request
      unread += 1
      exchange.taps.push(createMeter(exchange, metrics, (observation) => record(exchange, observation)))
      done()
    })

    function open() {
      return openBooks({
        settings: () => settings.current,
        onTrouble: (event, detail) => app.log.warn(detail, event),
        onUnpriced(model) {
          metrics.unpriced.inc()
          app.log.warn({ model: model.slice(0, 80) }, 'no table has a price for this model: set metering.prices')
        },
      })
    }

    function record(exchange: Exchange, observation: Observation | null): void {
      unread -= 1
      try {
        // Booked first: what the cache keeps of an answer is worth what the answer cost.
        books?.settle(exchange, observation)
      } catch (error) {
        app.log.error({ err: error, id: exchange.id }, 'an exchange could not be booked')
      }
      settleObservation(exchange, observation)
      count(
        metrics,
        exchange,
        observation,
        modelLabel(exchange.model, exchange.statusCode === 200 || exchange.statusCode === 101),
      )
      desk.traffic.note(exchange, observation)
      writeLine(app, exchange, observation)
    }
  },
  { name: 'castor-metering', dependencies: ['castor-exchange'] },
)

/** Bytes of one Live message that are read; longer ones are audio and video. */
const longestMessage = 1_048_576

/** At the end, longest wait for the reading of what was the last answer. */
const lastReadingMs = 2_000

/** Whose answers are read. */
const readable = new Set<AnswerSource>(['upstream', 'fallback', 'coalesced'])

/** Reads the answer of a model call and the messages of a Live session; of everything else only that there was one. */
function createMeter(exchange: Exchange, metrics: Metrics, done: (observation: Observation | null) => void): Tap {
  let observer: Observer | null = null
  let isDone = false

  function finish(observation: Observation | null): void {
    if (isDone) return
    isDone = true
    done(observation)
  }

  /** A reader that fails must not take the booking with it, as it would if its tap were dropped. */
  function lost(): void {
    metrics.droppedTaps.inc({ tap: 'meter' })
    observer = null
  }

  return {
    name: 'meter',
    head(head: AnswerHead) {
      // What memory answers was metered when Gemini gave it; what a follower gets is read for what it has saved.
      if (exchange.target.traffic === 'other' || !readable.has(head.source)) return
      try {
        exchange.servedTier = servedTierOf(head.headers)
        observer = observerFor(exchange, head, finish)
      } catch {
        lost()
      }
    },
    chunk(bytes: Buffer) {
      try {
        observer?.chunk(bytes)
      } catch {
        lost()
      }
    },
    end(_outcome: Outcome, whole: boolean) {
      try {
        observer?.end(whole)
      } catch {
        lost()
      }
      if (observer === null) finish(null)
    },
  }
}

function observerFor(exchange: Exchange, head: AnswerHead, done: (observation: Observation) => void): Observer {
  const type = headerValue(head.headers, 'content-type') ?? ''
  const contentEncoding = headerValue(head.headers, 'content-encoding')
  const { dialect, framing, traffic } = exchange.target
  if (traffic === 'live' && head.statusCode === 101)
    return createObserver({ dialect: 'live', framing: 'frames', maxBytes: longestMessage }, done)
  // An error of an `alt=sse` call is plain JSON under text/event-stream: only a 200 has the framing that its type promises.
  const sse = head.statusCode === 200 && type.startsWith('text/event-stream')
  return createObserver(
    { dialect, framing: sse ? 'sse' : framing === 'array' ? 'array' : 'unary', contentEncoding },
    done,
  )
}

function count(metrics: Metrics, exchange: Exchange, observation: Observation | null, model: string): void {
  const { route } = exchange.target
  const now = performance.now()
  metrics.requests.inc({
    route,
    model,
    status: String(exchange.statusCode),
    outcome: exchange.outcome ?? 'failed',
    source: exchange.source,
  })
  if (exchange.failure !== null) metrics.failures.inc({ reason: exchange.failure })
  // A Live session lasts as long as its people talk.
  if (exchange.target.traffic !== 'live') {
    metrics.duration.observe({ route, model }, (now - exchange.startedAt) / 1000)
    if (exchange.answeredAt !== null) {
      const untilAnswer = exchange.answeredAt - exchange.startedAt
      metrics.firstByte.observe({ route, model }, untilAnswer / 1000)
      metrics.overhead.observe(Math.max(0, untilAnswer - (exchange.timings.upstream ?? 0)) / 1000)
    }
  }
  const cost = exchange.account?.costNanoUsd
  if (cost) metrics.cost.inc({ model }, cost / 1e9)
  const saved = exchange.account?.savedNanoUsd
  if (saved) metrics.saved.inc({ source: exchange.source }, saved / 1e9)
  const usage = observation?.usage
  if (usage === undefined || usage.totalTokens === 0) return
  // What memory or a leader gave was counted when Gemini gave it.
  if (exchange.source !== 'upstream' && exchange.source !== 'fallback') return
  if (exchange.target.operation === 'countTokens') return
  metrics.tokens.inc({ model, class: 'prompt' }, usage.promptTokens)
  metrics.tokens.inc({ model, class: 'candidates' }, usage.candidateTokens)
  if (usage.cachedTokens > 0) metrics.tokens.inc({ model, class: 'cached' }, usage.cachedTokens)
  if (usage.thoughtTokens > 0) metrics.tokens.inc({ model, class: 'thoughts' }, usage.thoughtTokens)
  if (usage.toolUseTokens > 0) metrics.tokens.inc({ model, class: 'tool_use' }, usage.toolUseTokens)
}

/** The one line per request. Route template and key id only: never a path, a query, a header value or a word of a prompt. */
function writeLine(app: FastifyInstance, exchange: Exchange, observation: Observation | null): void {
  const usage = observation?.usage
  app.log.info(
    {
      id: exchange.id,
      route: exchange.target.route,
      key: exchange.caller.keyId,
      model: exchange.model ?? undefined,
      served: observation?.finish.modelVersion,
      status: exchange.statusCode,
      source: exchange.source,
      cache: exchange.cache ?? undefined,
      outcome: exchange.outcome,
      reason: exchange.failure ?? undefined,
      finish: observation?.finish.finishReasons[0],
      tokens: usage && usage.totalTokens > 0 ? usage.totalTokens : undefined,
      usd: exchange.account?.costNanoUsd ? exchange.account.costNanoUsd / 1e9 : undefined,
      ms: Math.round(performance.now() - exchange.startedAt),
      upstreamMs: exchange.timings.upstream === null ? undefined : Math.round(exchange.timings.upstream),
    },
    'request',
  )
}
