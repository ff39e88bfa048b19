/** Made-up traffic for bench/eviction.ts: what is asked, how large its answer is, and what it cost. Seeded. */

export type Item = { key: string; bytes: number; costUsd: number }
export type Trace = { items: Item[]; requests: Uint32Array }

export type TraceOptions = {
  seed: number
  requests: number
  keys: number
  /** Exponent of the popularity (Zipf). */
  alpha: number
  /** Share of the popular keys that changes places with others at each tenth of the trace. */
  drift: number
}

/** Numbers in [0, 1) (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function traceOf({ seed, requests, keys, alpha, drift }: TraceOptions): Trace {
  const random = randomOf(seed)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const items = Array.from({ length: keys }, (_, at): Item => {
    // Token counts of conversations are about log-normal: prompts around 1000, answers around 200.
    const prompt = Math.min(30_000, Math.exp(6.9 + 1.1 * normal()))
    const answer = Math.min(8_000, Math.exp(5.3 + 0.9 * normal()))
    // USD per token of a Flash model in and out, and four bytes a token with the JSON around it.
    return { key: `key-${at}-${seed}`, costUsd: prompt * 0.3e-6 + answer * 2.5e-6, bytes: Math.round(600 + answer * 4) }
  })
  const cumulated = new Float64Array(keys)
  let sum = 0
  for (let rank = 0; rank < keys; rank++) {
    sum += 1 / (rank + 1) ** alpha
    cumulated[rank] = sum
  }
  const byRank = Uint32Array.from({ length: keys }, (_, at) => at)
  for (let at = keys - 1; at > 0; at--) swap(byRank, at, Math.floor(random() * (at + 1)))
  const stream = new Uint32Array(requests)
  const era = Math.ceil(requests / 10)
  for (let at = 0; at < requests; at++) {
    if (at > 0 && at % era === 0) {
      for (let rank = 0; rank < keys / 10; rank++) if (random() < drift) swap(byRank, rank, Math.floor(random() * keys))
    }
    stream[at] = byRank[find(cumulated, random() * sum)]!
  }
  return { items, requests: stream }
}

function swap(list: Uint32Array, one: number, other: number): void {
  const kept = list[one]!
  list[one] = list[other]!
  list[other] = kept
}

/** The first place whose sum is at least `value`. */
function find(cumulated: Float64Array, value: number): number {
  let low = 0
  let high = cumulated.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (cumulated[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}
