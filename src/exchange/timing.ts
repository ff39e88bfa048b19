import type { Exchange } from './exchange.ts'

/**
 * `Server-Timing` of an answer, in milliseconds: each stage that was reached, and `castor`, what the gateway added before the answer's
 * first byte.
 * @param now `performance.now()`
 */
export function renderServerTiming(
  { timings, startedAt }: Pick<Exchange, 'timings' | 'startedAt'>,
  now: number,
): string {
  let text = `auth;dur=${round(timings.auth)}`
  if (timings.cache !== null) text += `, cache;dur=${round(timings.cache)}`
  if (timings.context !== null) text += `, context;dur=${round(timings.context)}`
  if (timings.upstream !== null) text += `, upstream;dur=${round(timings.upstream)}`
  return `${text}, castor;dur=${round(Math.max(0, now - startedAt - (timings.upstream ?? 0)))}`
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100
}
