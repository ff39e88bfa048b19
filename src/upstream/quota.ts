import type { AnswerHead } from '../exchange/exchange.ts'
import { createDecoder, isIdentity } from '../gemini/decode.ts'
import { headerValue } from '../gemini/headers.ts'

/**
 * What a 429 of Gemini says. day: the quota of the day is spent · minute: one of a minute is, and the answer says for how long ·
 * unclear: neither, as with shared capacity.
 */
export interface QuotaNews {
  kind: 'day' | 'minute' | 'unclear'
  /** ms until a retry is of use; null where the answer does not say */
  delayMs: number | null
  /** as Gemini names it; null where it does not */
  quotaId: string | null
}

/** Google's longest real one has 1 410 bytes. */
const longestBody = 64 * 1024

const unclear: QuotaNews = Object.freeze({ kind: 'unclear', delayMs: null, quotaId: null })

/** Reads a 429's body by its chunks, without holding up who passes them on. `done` is called once, for `end` only. */
export function readQuota(head: Pick<AnswerHead, 'headers'>, done: (news: QuotaNews) => void) {
  const encoding = headerValue(head.headers, 'content-encoding')
  const chunks: Buffer[] = []
  let length = 0
  const keep = (bytes: Buffer): void => {
    length += bytes.length
    if (length <= longestBody) chunks.push(bytes)
  }
  const finish = (): void => done(length <= longestBody ? quotaNews(Buffer.concat(chunks).toString()) : unclear)
  if (isIdentity(encoding)) return { chunk: keep, end: finish }
  const decoder = createDecoder(encoding as string, longestBody, keep, finish)
  return { chunk: decoder.write, end: decoder.end }
}

/**
 * Reads the body of a 429 (facts: QuotaFailure names the quota, RetryInfo and the message the time; Retry-After never comes). Where several
 * quotas are spent, the one of the day counts. Never throws.
 */
export function quotaNews(body: string): QuotaNews {
  const error = errorOf(body)
  if (error === null) return unclear
  const details = Array.isArray(error.details) ? error.details.filter(isRecord) : []
  const ids = details.flatMap(({ violations }) =>
    Array.isArray(violations) ? violations.filter(isRecord).map(({ quotaId }) => String(quotaId ?? '')) : [],
  )
  const daily = ids.find((id) => /PerDay|Daily/i.test(id))
  if (daily !== undefined) return { kind: 'day', delayMs: null, quotaId: shorten(daily) }
  // A detail is cut to whole seconds, the message is not: the longer one is the right one.
  const delays = details.map(({ retryDelay }) => secondsOf(retryDelay))
  const said = /retry in ([\d.]+)(ms|s)/i.exec(typeof error.message === 'string' ? error.message : '')
  if (said !== null) delays.push(Number(said[1]) / (said[2] === 'ms' ? 1000 : 1))
  const seconds = Math.max(...delays.filter((delay) => Number.isFinite(delay) && delay >= 0))
  const quotaId = ids[0] === undefined || ids[0] === '' ? null : shorten(ids[0])
  if (!Number.isFinite(seconds)) return { ...unclear, quotaId }
  return { kind: 'minute', delayMs: Math.ceil(seconds * 1000), quotaId }
}

/** The error of a body: an object, the array that JSON streams have, or neither. */
function errorOf(body: string): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(body)
    const outer: unknown = Array.isArray(parsed) ? parsed[0] : parsed
    const error = isRecord(outer) ? outer.error : null
    return isRecord(error) ? error : null
  } catch {
    return null
  }
}

/** Seconds of a google.protobuf.Duration in JSON ("38s", "47.434392449s"); NaN when it is none. */
function secondsOf(value: unknown): number {
  return typeof value === 'string' && /^\d+(?:\.\d+)?s$/.test(value) ? Number(value.slice(0, -1)) : Number.NaN
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** It goes into errors of ours. */
function shorten(quotaId: string): string {
  return quotaId.slice(0, 200)
}
