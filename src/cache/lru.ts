/** A map that forgets what was used longest ago. For what costs the same to find again; answers live in memory.ts. */
export function createLru<K, V>(maxEntries: number) {
  const map = new Map<K, V>()

  function get(key: K): V | undefined {
    const value = map.get(key)
    if (value === undefined) return undefined
    // While nothing is near being forgotten, a hit stays one look-up.
    if (map.size > maxEntries / 2) {
      map.delete(key)
      map.set(key, value)
    }
    return value
  }

  function set(key: K, value: V): void {
    map.delete(key)
    map.set(key, value)
    if (map.size > maxEntries) map.delete(map.keys().next().value as K)
  }

  return { get, set, delete: (key: K) => map.delete(key), clear: () => map.clear(), size: () => map.size }
}
