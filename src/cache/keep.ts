/** From an answer that went by to an entry of the cache, or to the reason why it becomes none. */
import { type Exchange, whenObserved } from '../exchange/exchange.ts'
import { headerValue } from '../gemini/headers.ts'
import type { Observation } from '../gemini/observe.ts'
import { refusal } from './admit.ts'
import type { Question } from './cache.ts'
import { readBody } from './encoding.ts'
import type { Entry } from './entry.ts'
import { createRecorder, type Recording } from './recorder.ts'

/** One whole 200 of Gemini's own. `recording` is undefined when it outgrew its bound. */
export type Taken = { headers: readonly string[]; recording: Recording | undefined; observation: Observation }

/** Leaves a tap that calls back once Gemini's answer was given whole, with status 200, and read by the meter; else never. */
export function take(exchange: Exchange, name: string, maxBytes: number, done: (taken: Taken) => void): void {
  const recorder = createRecorder({ maxBytes, now: () => performance.now() })
  let headers: readonly string[] | null = null
  exchange.taps.push({
    name,
    head(head) {
      if (head.source === 'upstream' && head.statusCode === 200) headers = head.headers
    },
    chunk(bytes) {
      if (headers !== null) recorder.chunk(bytes)
    },
    end(_outcome, isWhole) {
      if (headers === null || !isWhole) return
      const answered = headers
      const recording = recorder.finish()
      whenObserved(exchange, (observation) => {
        if (observation !== null) done({ headers: answered, recording, observation })
      })
    },
  })
}

/** Why a taken answer must not be kept; undefined when it may. */
export function refusalOf({ recording, observation }: Taken, question: Question): string | undefined {
  const { readable, complete, errorTail, finish } = observation
  return refusal(
    { status: 200, clean: true, fallback: false, readable, complete, errorTail, finish, bytes: recording?.body.length },
    question.decision,
  )
}

export type Keeping = {
  question: Question
  /** Epoch ms. */
  createdAt: number
  costUsd: number
}

/** The entry of an answer; undefined when its body cannot be decoded. */
export async function entryOf(taken: Taken, { question, createdAt, costUsd }: Keeping): Promise<Entry | undefined> {
  const { headers, recording, observation } = taken
  if (recording === undefined) return undefined
  const body = await readBody(recording.body, headerValue(headers, 'content-encoding'))
  if (body === undefined) return undefined
  const { decision, parts, form } = question
  return {
    header: {
      key: question.key.key,
      status: 200,
      contentType: headerValue(headers, 'content-type') ?? 'application/json; charset=UTF-8',
      framing: form.framing,
      dialect: form.dialect,
      operation: parts.operation,
      model: parts.model,
      headers: replayed(headers),
      createdAt,
      ttlMs: decision.ttlMs,
      staleUntil: createdAt + decision.ttlMs + Math.max(decision.staleIfErrorMs, decision.staleWhileRevalidateMs),
      costUsd,
      latencyMs: recording.latencyMs,
      usage: observation.usage,
      partition: parts.partition,
      tenant: question.tenant,
      interaction: question.interaction,
      tags: question.tags,
      generation: question.generation,
    },
    body,
    // Boundaries were counted in the encoded bytes; a decoded body has others.
    chunks: body === recording.body ? recording.chunks : undefined,
  }
}

/** Google's own word on who served the answer; everything else in a head belongs to the one exchange it came with. */
const worthReplaying = new Set(['x-gemini-service-tier', 'content-disposition'])

function replayed(headers: readonly string[]): Array<[string, string]> {
  const kept: Array<[string, string]> = []
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string
    if (worthReplaying.has(name.toLowerCase())) kept.push([name, headers[index + 1] as string])
  }
  return kept
}
