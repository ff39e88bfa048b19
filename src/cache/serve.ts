/** Gives a client an answer from memory: the recorded bytes, with our own words in the head. */
import type { Answer } from '../exchange/answer.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { renderServerTiming } from '../exchange/timing.ts'
import { isModelName } from '../gemini/model-name.ts'
import type { Hit } from './cache.ts'
import { ageHeader, cacheStatus } from './freshness.ts'
import { replay } from './replay.ts'
import type { Visit } from './visit.ts'

export type ServeOptions = {
  /** Epoch ms. */
  atMs: number
  detail: 'exact' | 'stale'
  hideStatus: boolean
  paced: boolean
}

export function serve(visit: Visit, hit: Hit, { atMs, detail, hideStatus, paced }: ServeOptions): void {
  const { exchange } = visit
  const { header, body, contentType } = hit
  const headers = ['content-type', contentType]
  for (const [name, value] of header.headers) headers.push(name, value)
  if (!hideStatus) {
    headers.push('age', ageHeader(header, atMs), 'cache-status', cacheStatus({ hit: true, life: header, detail }, atMs))
  }
  ownHead(exchange, header.model, headers)
  const isStream = contentType.startsWith('text/event-stream') || exchange.target.framing === 'array'
  if (isStream && paced) return void play(visit, hit, headers)
  if (!isStream) headers.push('content-length', String(body.length))
  if (!isStream && !hideStatus) moneyHead(exchange, headers)
  visit.take().whole(headers, body, 'cache')
}

async function play(visit: Visit, hit: Hit, headers: string[]): Promise<void> {
  const gone = new AbortController()
  let resume = () => {}
  visit.onDrain(() => resume())
  visit.onClose(() => {
    gone.abort()
    resume()
  })
  const answer: Answer = visit.take()
  answer.head(200, '', headers, [], 'cache')
  try {
    for await (const chunk of replay(hit, 1, gone.signal)) {
      if (answer.write(chunk)) continue
      await new Promise<void>((resolve) => {
        resume = resolve
      })
      if (gone.signal.aborted) return
    }
    answer.end()
  } catch (error) {
    // The client has left in one of the pauses; nobody is waiting.
    if (!gone.signal.aborted) throw error
  }
}

/** Adds what the answer costs, which is nothing, and what Gemini would have taken for it. */
function moneyHead({ account }: Exchange, headers: string[]): void {
  if (account !== null)
    headers.push('x-castor-cost-usd', '0', 'x-castor-saved-usd', (account.savedNanoUsd / 1e9).toFixed(9))
}

/** Adds what Castor says of an answer that it gives itself. */
export function ownHead(exchange: Exchange, model: string | null, headers: string[]): void {
  headers.push('x-castor-request-id', exchange.id, 'server-timing', renderServerTiming(exchange, performance.now()))
  if (model !== null && isModelName(model)) headers.push('x-castor-model', model)
}
