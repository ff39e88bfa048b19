/** What the cache's stage needs of a request beside its exchange; plugins/cache.ts makes it of Fastify's. */
import type { Answer } from '../exchange/answer.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { GatewayError } from '../gemini/errors.ts'

export interface Visit {
  readonly exchange: Exchange
  readonly rawHeaders: readonly string[]
  readonly cacheControl: string | undefined
  readonly acceptEncoding: string | undefined
  /** Takes the answer over from the framework; nobody else answers afterwards, and `next` is void. */
  take(): Answer
  /** The client takes more. */
  onDrain(resume: () => void): void
  /** The client has left, or has all. */
  onClose(left: () => void): void
  /** Sends the request on to the next stage. */
  next(error?: GatewayError): void
  /** Asks the same question of Gemini again, in the background. */
  refresh(): void
}
