import type { Exchange } from '../exchange/exchange.ts'
import type { GatewayError } from '../gemini/errors.ts'
import { type Target, withModel } from '../gemini/target.ts'
import type { Aside } from './attempt.ts'
import type { Chain } from './chain.ts'

/** How sure one can be of the answer of a model that was not asked for, as `x-castor-confidence`. */
const confidence = '0.8'

/** The way of one call along its chain: which model it has come to, and what the first one said. */
export class Detour {
  readonly #exchange: Exchange
  readonly #chain: Chain
  readonly #moving: (exchange: Exchange) => void
  readonly #asked: { target: Target; model: string | null }
  readonly #annotate: Exchange['annotate']
  #step = 0
  /** true while another model than the one asked for is asked, or answers */
  isAway = false
  /** Gemini's own error for the model that was asked for */
  kept: Aside | null = null
  /** the same, where there was no answer */
  failure: GatewayError | null = null

  /** @param moving told before the first step */
  constructor(exchange: Exchange, chain: Chain, moving: (exchange: Exchange) => void) {
    this.#exchange = exchange
    this.#chain = chain
    this.#moving = moving
    this.#asked = { target: exchange.target, model: exchange.model }
    this.#annotate = exchange.annotate
  }

  /** Longest wait for the first byte of the attempt that comes next, ms; null for no limit of ours. */
  get limitMs(): number | null {
    return this.isAway ? this.#chain.timeoutMs : this.#chain.patienceMs
  }

  keep(head: Aside): void {
    if (!this.isAway) this.kept = head
  }

  keepFailure(failure: GatewayError): void {
    if (!this.isAway) this.failure = failure
  }

  /** Turns the exchange to the next model; false when there is none left. */
  next(): boolean {
    const exchange = this.#exchange
    const model = this.#chain.models[this.#step]
    const target = model === undefined ? null : withModel(this.#asked.target, model)
    if (model === undefined || target === null) return false
    if (this.#step === 0) this.#moving(exchange)
    this.#step += 1
    this.isAway = true
    exchange.target = target
    exchange.model = model
    // What the cache would say of the answer is true of the model that was asked for only.
    exchange.annotate = null
    return true
  }

  /** Turns the exchange back to the model that was asked for. */
  comeBack(): void {
    if (!this.isAway) return
    this.isAway = false
    Object.assign(this.#exchange, this.#asked, { annotate: this.#annotate })
  }

  /** Adds to a flat list of headers that another model has answered. */
  mark(headers: string[]): void {
    if (!this.isAway) return
    headers.push('x-castor-fallback', `model; step=${this.#step}`, 'x-castor-confidence', confidence)
    if (this.#annotate !== null) headers.push('cache-status', 'castor; fwd=miss; detail=fallback')
  }
}
