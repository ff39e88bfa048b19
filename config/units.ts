const durationUnits: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

const sizeUnits: Record<string, number> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

const sizeNames = new Map(Object.entries(sizeUnits).map(([name, bytes]) => [name.toLowerCase(), bytes]))

/**
 * A duration as people write it, in milliseconds: `500ms`, `5s`, `1.5h`, `2m30s`, `7d`, `1w`, `0`.
 * Units go from large to small, each at most once; anything else, a bare number too, is undefined.
 */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0
  if (!/^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$/.test(text)) return undefined
  let total = 0
  let previous = Number.POSITIVE_INFINITY
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ms|[smhdw])/g)) {
    const factor = durationUnits[unit ?? ''] ?? 0
    if (factor >= previous) return undefined
    previous = factor
    total += Number(amount) * factor
  }
  const milliseconds = Math.round(total)
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined
}

/**
 * A size as people write it, in bytes: `512KB`, `20MB`, `1.5GiB`, `0`. KB, MB, GB, TB count in thousands (SI),
 * KiB, MiB, GiB, TiB in 1024s (IEC 80000-13); the case of the letters does not matter. Anything else is undefined.
 */
export function parseSize(text: string): number | undefined {
  if (text === '0') return 0
  const [, amount, unit] = /^(\d+(?:\.\d+)?) ?([a-z]+)$/i.exec(text) ?? []
  const factor = sizeNames.get((unit ?? '').toLowerCase())
  if (factor === undefined) return undefined
  const bytes = Math.round(Number(amount) * factor)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** The shortest exact spelling of a duration in milliseconds; parseDuration gives the same number back. */
export function formatDuration(milliseconds: number): string {
  let rest = milliseconds
  let text = ''
  for (const [unit, factor] of Object.entries(durationUnits).reverse()) {
    const amount = Math.floor(rest / factor)
    if (amount > 0) text += `${amount}${unit}`
    rest -= amount * factor
  }
  return text || '0'
}

/** The shortest exact spelling of a size in bytes; parseSize gives the same number back. */
export function formatSize(bytes: number): string {
  if (bytes === 0) return '0'
  const fitting = Object.entries(sizeUnits).filter(([, factor]) => bytes % factor === 0)
  const [unit, factor] = fitting.reduce((best, entry) => (entry[1] > best[1] ? entry : best), ['B', 1])
  return `${bytes / factor}${unit}`
}
