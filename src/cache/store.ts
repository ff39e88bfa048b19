/** What a lower tier (SQLite, Redis) offers: a keyv adapter for the answers, and what keyv has no word for. */
import { Keyv, type KeyvStoreAdapter } from 'keyv'
import type { Floor, Scope } from './scope.ts'

/** A keyv adapter whose values are encoded entries. `ttl` is how long the store keeps them, stale time included. */
export type Adapter = KeyvStoreAdapter & { setMany: NonNullable<KeyvStoreAdapter['setMany']> }

export type StoreStats = {
  /** Undefined where counting would mean reading everything. */
  entries: number | undefined
  bytes: number | undefined
}

export type Store = {
  name: string
  /** Throws or rejects when the store is away; never hangs past its own limits. */
  adapter: Adapter
  /** Purges known to all replicas. */
  floors: () => Promise<Floor[]>
  /** Takes the next generation, above `atLeast`, for a scope. @returns that generation */
  raise: (scope: Scope, atLeast: number) => Promise<number>
  /** Deletes what a purge covers, in small steps. @returns how many */
  purge: (scope: Scope, generation: number) => Promise<number>
  /** Deletes what is past its use, and the least useful beyond the store's bounds. @returns how many */
  cleanup: () => Promise<number>
  /** The most useful answers, best first, for a warm start. */
  best: (limit: number) => AsyncIterable<{ key: string; value: Uint8Array }>
  stats: () => Promise<StoreStats>
  close: () => Promise<void>
}

/** keyv before a store: it passes bytes through untouched, and says when the store fails. */
export function keyvOf(adapter: Adapter): Keyv<Uint8Array> {
  const keyv = new Keyv<Uint8Array>({
    store: adapter,
    // Entries are bytes with a checksum of their own: no JSON, no base64.
    serialize: undefined,
    deserialize: undefined,
    useKeyPrefix: false,
    throwOnErrors: true,
  })
  // The caller gets the error by rejection; without a listener keyv would throw it a second time, at nobody.
  keyv.on('error', () => {})
  return keyv
}

/** What keyv hands to an adapter when nothing is serialised. */
export function isWrapped(value: unknown): value is { value: Uint8Array } {
  return typeof value === 'object' && value !== null && 'value' in value && value.value instanceof Uint8Array
}
