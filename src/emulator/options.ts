/** What an emulator is told, and what it shows: the public types of this folder. */
import type { FaultScript } from './faults.ts'

/** Everything is optional: the default is a quick, faithful Gemini on a free port. */
export interface EmulatorOptions {
  /** TCP port; 0 (the default) takes a free one. */
  port?: number
  /** Address to listen on; default 127.0.0.1. */
  host?: string
  /** Answers, embeddings and probabilities are a function of this and of the request. */
  seed?: number
  /** Milliseconds before the first byte of a model's answer; default 0. */
  firstByteMs?: number
  /** Speed of answers; default: as fast as the socket takes them. Unary answers wait for all their tokens. */
  tokensPerSecond?: number
  /** Accepted API keys; default: every key except those that start with "bad" or "invalid". */
  keys?: string[]
  /** Tokens in one chunk of a stream; default 24. */
  chunkTokens?: number
  /** Length of a text answer: tokens, or [least, most]; default [40, 160]. */
  answerTokens?: number | [number, number]
  /** The text to answer with; undefined leaves it to the emulator. */
  answer?: (question: Question) => string | undefined
  /** Milliseconds since the epoch, for times, expiry, quota windows and batch states; default Date.now. */
  clock?: () => number
  /** PEM key and certificate: serves https and wss instead of http and ws. */
  tls?: { cert: string; key: string }
  /** Requests per minute and model for one key; default: no limit. */
  rpm?: number
  /** Input tokens per minute and model for one key; default: no limit. */
  tpm?: number
  /** Compress for callers that offer gzip, flushing each event, as Google does; default false. */
  gzip?: boolean
  /** Models to know besides the catalogue; a name such as "gemini-9-test" takes its abilities from its number. */
  models?: string[]
  /** Most output tokens of one request before finishReason CONTINUATION (Gemini 4 only); default: no limit. */
  continuationTokens?: number
  /** A batch advances one state each this many milliseconds of `clock`; default: at each poll. */
  batchStepMs?: number
  /** Keep request bodies in `calls`; default true. */
  keepBodies?: boolean
  /** Most calls kept; the oldest go first; default 10 000. `count()` never forgets. */
  keepCalls?: number
  /** Most bytes of request bodies kept over all calls; default 64 MiB. */
  keepBytes?: number
  /** Origin inside bodies (`file.uri`), which Google never varies; default https://generativelanguage.googleapis.com. */
  publicOrigin?: string
}

/** What is asked, as given to `EmulatorOptions.answer`. */
export interface Question {
  /** Without "models/". */
  model: string
  /** Text of the last user turn. */
  prompt: string
  /** The parsed request, top-level names in camelCase. */
  body: Record<string, unknown>
}

/** Token counts of one call; `total = prompt + candidates + thoughts + toolUse`, cached is part of prompt. */
export interface CallUsage {
  promptTokens: number
  cachedTokens: number
  candidateTokens: number
  thoughtTokens: number
  toolUseTokens: number
  totalTokens: number
}

/** One request the emulator was asked, filled in while it runs. */
export interface RecordedCall {
  id: number
  method: string
  /** Exactly as it arrived, query included. */
  url: string
  /** Raw headers: name, value, name, value. */
  headers: string[]
  /** Empty when bodies are not kept or the bound was reached. */
  body: Buffer
  /** The API key or bearer token that was used. */
  key: string | undefined
  operation: string
  /** Without "models/"; undefined for calls that name none. */
  model: string | undefined
  /** HTTP status sent; 0 until one was. */
  status: number
  startedAt: number
  /** 0 while it runs. */
  endedAt: number
  /** The client left before the end of the answer. */
  aborted: boolean
  usage: CallUsage | undefined
}

/** Which calls to count; absent fields match all. */
export interface CallFilter {
  operation?: string
  model?: string
  key?: string
  status?: number
  method?: string
  aborted?: boolean
}

/** A running emulator. */
export interface Emulator {
  /** Origin without trailing slash, e.g. http://127.0.0.1:34567 */
  url: string
  port: number
  /** Kept calls, oldest first. */
  calls: RecordedCall[]
  /** Calls since the start or the last reset, also those no longer kept (unless a filter is given). */
  count(filter?: CallFilter | ((call: RecordedCall) => boolean)): number
  /** Sum of what was reported as used. */
  usageTotals(): CallUsage & { calls: number }
  faults: FaultScript
  /** Forgets calls, faults, quotas, files, caches, batches and seen prefixes. */
  reset(): void
  /** TCP connections open now. */
  openSockets(): number
  /** Ends at once: open connections are destroyed. */
  close(): Promise<void>
}
