/** Opens the cache as the settings describe it: memory over SQLite or Redis, with its trust, its policy and its figures. */
import { join } from 'node:path'
import type { Config } from '../../config/schema.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { type Advice, adviceOf } from './advice.ts'
import { createCache, type ExactCache } from './cache.ts'
import { createMemory } from './memory.ts'
import type { Quota } from './quota.ts'
import { createRedisStore } from './redis-store.ts'
import { read } from './settings.ts'
import { createSqliteStore } from './sqlite-store.ts'
import type { Store } from './store.ts'
import { createTally, type Tally } from './tally.ts'
import { createTiers } from './tiers.ts'
import { createTrust } from './trust.ts'

export type OpenCacheOptions = {
  settings: () => Config
  secret: string | Uint8Array
  costUsd: (exchange: Exchange) => number
  onRefusal: (reason: string) => void
  /** Told when the store goes away and comes back, and when an entry or a file was found broken. */
  onTrouble: (event: string, detail: object) => void
  /** Epoch ms. */
  now?: () => number
}

export type Cache = ExactCache & {
  tally: Tally
  /** Deletes what is of no more use, here and in the store. @returns how many */
  cleanup: () => Promise<number>
  /** What would raise the hit rate. */
  advise: () => Promise<Advice[]>
  /** Puts advice in force until the next reload or restart. */
  apply: (advice: readonly Advice[]) => void
}

/** Answers taken into memory at the start; the rest is found on disk when asked for. */
const WARM_ENTRIES = 2_000
/** Damaged entries are told of this often at most, with their number. */
const DAMAGE_EVERY_MS = 60_000

/** Close it with `tiers.close()`. */
export function openCache(options: OpenCacheOptions): Cache {
  const { cache } = options.settings()
  const now = options.now ?? (() => Date.now())
  const tally = createTally(now)
  const quota = quotaOf(cache)
  const memory = createMemory({
    maxEntries: cache.maxEntries,
    maxBytes: cache.maxBytes,
    ...(quota === undefined ? {} : { quota: () => quota }),
    now,
  })
  const store = storeOf(options, now)
  const tiers = createTiers({
    memory,
    ...(store === undefined ? {} : { store }),
    now,
    deadlineMs: cache.storeDeadline,
    onStoreState: (state, cause) => options.onTrouble(`cache store is ${state}`, { err: cause }),
    onDamage: tellSeldom(now, (damage, count) =>
      options.onTrouble('damaged cache entries were dropped', { damage, count }),
    ),
  })
  void tiers.open(WARM_ENTRIES)
  const trust = createTrust(() => options.settings().cache.keyTrust, now)
  let ttlMs = cache.ttl
  let settings = read(options.settings(), ttlMs)
  const made = createCache({
    settings: () => settings,
    secret: options.secret,
    tiers,
    trust,
    coalesce: { maxBufferBytes: cache.coalesceBuffer, maxLagBytes: cache.coalesceBuffer },
    now,
    costUsd: options.costUsd,
    onRefusal(reason) {
      tally.refused(reason)
      options.onRefusal(reason)
    },
  })

  function adopt(): void {
    settings = read(options.settings(), ttlMs)
    made.reload()
  }

  return {
    ...made,
    tally,
    cleanup: tiers.cleanup,
    async advise() {
      const { memory: held } = await tiers.stats()
      const bounds = { maxEntries: held.maxEntries, maxBytes: held.maxBytes }
      return adviceOf({ ghosts: held.ghosts, elapsedMs: now() - tally.sinceMs, ttlMs, held, bounds })
    },
    apply(advice) {
      const { cache: given } = options.settings()
      const bounds = { maxEntries: given.maxEntries, maxBytes: given.maxBytes }
      for (const { setting, to } of advice) {
        if (setting === 'cache.ttl') ttlMs = to
        else if (setting === 'cache.maxEntries') bounds.maxEntries = to
        else bounds.maxBytes = to
      }
      tiers.resize(bounds)
      adopt()
    },
    /** The file's word replaces what was applied. */
    reload() {
      const { cache: given } = options.settings()
      ttlMs = given.ttl
      tiers.resize({ maxEntries: given.maxEntries, maxBytes: given.maxBytes })
      adopt()
    },
  }
}

function quotaOf({ tenantMaxEntries, tenantMaxBytes }: Config['cache']): Quota | undefined {
  if (tenantMaxEntries === 0 && tenantMaxBytes === 0) return undefined
  return {
    ...(tenantMaxEntries > 0 ? { maxEntries: tenantMaxEntries } : {}),
    ...(tenantMaxBytes > 0 ? { maxBytes: tenantMaxBytes } : {}),
  }
}

/** A file full of rot would be a line for each look-up: the first is told at once, the rest as a number. */
function tellSeldom(now: () => number, tell: (what: string, count: number) => void): (what: string) => void {
  let toldAt = Number.NEGATIVE_INFINITY
  let untold = 0
  return (what) => {
    untold++
    if (now() - toldAt < DAMAGE_EVERY_MS) return
    tell(what, untold)
    toldAt = now()
    untold = 0
  }
}

function storeOf(options: OpenCacheOptions, now: () => number): Store | undefined {
  const { cache, dataDir, redis } = options.settings()
  const kind = cache.store === 'auto' ? (redis.url === '' ? 'sqlite' : 'redis') : cache.store
  if (cache.mode === 'off' || kind === 'memory') return undefined
  if (kind === 'redis') return createRedisStore({ url: redis.url })
  return createSqliteStore({
    path: join(dataDir, 'cache.db'),
    maxEntries: cache.storeMaxEntries,
    maxBytes: cache.storeMaxBytes,
    now,
    onQuarantine: (moved, cause) => options.onTrouble('a broken cache file was put aside', { moved, err: cause }),
  })
}
