/** Which requests may be answered from memory, and for how long: the rules of `cache.policy`, and what no rule can allow. */
import type { Feature, Traits } from './traits.ts'

/** The first rule that matches decides; what it leaves open is as in the defaults. All conditions must hold. */
export type Rule = {
  /** `*` stands for any run of characters. */
  models?: string[]
  operations?: string[]
  /** `x-castor-interaction`. */
  interactions?: string[]
  /** The request uses any of these. */
  with?: Feature[]
  /** Its temperature is at most this. Absent counts as Gemini's default, 1. */
  maxTemperature?: number
  /** Its temperature is above this. */
  aboveTemperature?: number

  /** false: neither looked up nor stored. */
  cache?: boolean
  ttlMs?: number
  staleIfErrorMs?: number
  staleWhileRevalidateMs?: number
  /** Stores answers cut off by the request's own limit. */
  maxTokensAnswers?: boolean
  /** Stores answers that ask the client to call a function. */
  functionCallAnswers?: boolean
  /** Lets an answer of one framing serve a request for the other. */
  convert?: boolean
}

export type Settled = Required<
  Pick<
    Rule,
    'ttlMs' | 'staleIfErrorMs' | 'staleWhileRevalidateMs' | 'maxTokensAnswers' | 'functionCallAnswers' | 'convert'
  >
>

export type PolicyOptions = {
  rules?: readonly Rule[]
  defaults?: Partial<Settled>
  /** The longest life of an answer to a request that names a file, a cached content or a URL: those change or expire unseen. */
  referenceTtlMs?: number
  /** Age of a file uploaded through this gateway, ms; undefined when it was not. */
  fileAgeMs?: (uri: string) => number | undefined
}

export type Asked = { operation: string; model: string; interaction: string; traits: Traits }

/** `rule` is the index of the rule that decided, -1 for the defaults. */
export type Decision =
  | { cache: false; rule: number; reason: 'continuation' | 'stored' | 'operation' | 'rule' | 'expired-file' }
  | ({ cache: true; rule: number } & Settled)

const HOUR = 3_600_000

/** What holds where no rule says otherwise. */
export const defaultSettled: Settled = {
  ttlMs: HOUR,
  // Long enough for an outage, short enough that nobody reads last week's answer.
  staleIfErrorMs: 24 * HOUR,
  staleWhileRevalidateMs: 0,
  // A cut answer is what the same limit gives again, but mostly an accident nobody wants twice.
  maxTokensAnswers: false,
  // Replaying a call makes the client act again, on the world as it was then.
  functionCallAnswers: false,
  convert: true,
}

/**
 * Why these: an answer from the live web, from a store of documents or from executed code is out of date as soon as
 * those change, and Google's own tool calls are billed and logged effects; embeddings and token counts are functions of
 * their input. Temperature is not looked at: 1 is Gemini's default and most clients never set it, so a limit there would
 * turn the cache off; who wants variety asks with `Cache-Control: no-cache` or writes a rule.
 */
export const defaultRules: readonly Rule[] = [
  { with: ['search', 'maps', 'urlContext', 'fileSearch', 'codeExecution', 'otherTool'], cache: false },
  { operations: ['embedContent', 'batchEmbedContents', 'embeddings', 'countTokens'], ttlMs: 24 * HOUR },
]

const OPERATIONS = new Set([
  'generateContent',
  'streamGenerateContent',
  'embedContent',
  'batchEmbedContents',
  'countTokens',
  'chat.completions',
  'embeddings',
])

/** Files live this long at Google (ai.google.dev/gemini-api/docs/files). */
const FILE_LIFE_MS = 48 * HOUR

export function createPolicy(options: PolicyOptions = {}) {
  const defaults: Settled = { ...defaultSettled, ...options.defaults }
  const rules = (options.rules ?? defaultRules).map((rule) => ({ rule, models: rule.models?.map(glob) }))
  const referenceTtlMs = options.referenceTtlMs ?? 10 * 60_000

  function decide(asked: Asked): Decision {
    const { traits } = asked
    if (!OPERATIONS.has(asked.operation)) return { cache: false, rule: -1, reason: 'operation' }
    if (traits.continuation) return { cache: false, rule: -1, reason: 'continuation' }
    if (traits.stored) return { cache: false, rule: -1, reason: 'stored' }
    const found = rules.findIndex(({ rule, models }) => matches(rule, models, asked))
    const rule = rules[found]?.rule ?? {}
    if (rule.cache === false) return { cache: false, rule: found, reason: 'rule' }
    const settled = settle(rule)
    const leftMs = lifeOfReferences(traits)
    if (leftMs <= 0) return { cache: false, rule: found, reason: 'expired-file' }
    const ttlMs = Math.min(settled.ttlMs, leftMs)
    // An answer about a file must not outlive it: afterwards Gemini refuses the question.
    const staleIfErrorMs = leftMs === Number.POSITIVE_INFINITY ? settled.staleIfErrorMs : 0
    return { ...settled, cache: true, rule: found, ttlMs, staleIfErrorMs }
  }

  function settle(rule: Rule): Settled {
    return {
      ttlMs: rule.ttlMs ?? defaults.ttlMs,
      staleIfErrorMs: rule.staleIfErrorMs ?? defaults.staleIfErrorMs,
      staleWhileRevalidateMs: rule.staleWhileRevalidateMs ?? defaults.staleWhileRevalidateMs,
      maxTokensAnswers: rule.maxTokensAnswers ?? defaults.maxTokensAnswers,
      functionCallAnswers: rule.functionCallAnswers ?? defaults.functionCallAnswers,
      convert: rule.convert ?? defaults.convert,
    }
  }

  /** How long what the request refers to is sure to stay; Infinity when it refers to nothing. */
  function lifeOfReferences(traits: Traits): number {
    let left = Number.POSITIVE_INFINITY
    if (traits.features.has('externalFile') || traits.features.has('cachedContent')) left = referenceTtlMs
    for (const uri of traits.fileUris) {
      const age = options.fileAgeMs?.(uri)
      left = Math.min(left, age === undefined ? referenceTtlMs : FILE_LIFE_MS - age)
    }
    return left
  }

  return { decide }
}

export type Policy = ReturnType<typeof createPolicy>

function matches(rule: Rule, models: RegExp[] | undefined, asked: Asked): boolean {
  const temperature = asked.traits.temperature ?? 1
  return (
    (models === undefined || models.some((pattern) => pattern.test(asked.model))) &&
    (rule.operations === undefined || rule.operations.includes(asked.operation)) &&
    (rule.interactions === undefined || rule.interactions.includes(asked.interaction)) &&
    (rule.with === undefined || rule.with.some((feature) => asked.traits.features.has(feature))) &&
    (rule.maxTemperature === undefined || temperature <= rule.maxTemperature) &&
    (rule.aboveTemperature === undefined || temperature > rule.aboveTemperature)
  )
}

export function glob(pattern: string): RegExp {
  const text = pattern
    .split(/\*+/)
    .map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')
  return new RegExp(`^${text}$`, 's')
}
