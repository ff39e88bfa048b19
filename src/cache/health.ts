/** The cache's line in `/service/health/`. */
import type { Cache } from './open.ts'

/** The words of the admin desk's parts; the cache stays below it. */
export type Health = { status: 'ok' | 'degraded' | 'down'; [figure: string]: unknown }

/** A store that fails makes the gateway plainer, not unavailable: degraded, never down. */
export function cacheHealth({ tiers }: Pick<Cache, 'tiers'>, mode: string): Health {
  const { store, away, full } = tiers.state()
  const message = away
    ? 'the store does not answer: only memory is looked in, and a restart will forget what was learned meanwhile'
    : full
      ? 'the store takes no more answers (a full disk, a read-only file): those it has are still found'
      : undefined
  return {
    status: away || full ? 'degraded' : 'ok',
    mode,
    store: store ?? 'none',
    ...(message === undefined ? {} : { message }),
  }
}
