// The price of an answer at the plain rates of a model, in doubles: nearly every call is one of these, and BigInt would take most of the time.
import type { Rates } from './rates.ts'
import type { Split } from './tokens.ts'

/** What is priced, split as it is billed; nano-USD of grounding beside it. */
export interface Priced {
  prompt: Split
  cached: Split
  toolUse: Split
  output: Split
  thoughts: number
  groundingNanoUsd: number
}

/** Parts of a cost in nano-USD times `plainScale`, before any rounding. */
export type PlainParts = Record<'input' | 'cached' | 'output' | 'thoughts' | 'toolUse' | 'grounding', number>

/** Rates are per million tokens. */
export const plainScale = 1_000_000

/**
 * The parts without a tier's factor. Null where a double would not hold them exactly: then they have to be reckoned in BigInt.
 * @param rates their output must be there when there is output
 */
export function plainParts(priced: Priced, rates: Rates): PlainParts | null {
  const { output } = rates
  const parts = {
    input: weigh(priced.prompt, rates.input) - weigh(priced.cached, rates.input),
    // A cached token never costs more than the same token sent afresh.
    cached: weighCached(priced.cached, rates),
    output: output ? weigh(priced.output, output) : 0,
    thoughts: output ? priced.thoughts * output.text : 0,
    toolUse: weigh(priced.toolUse, rates.input),
    grounding: priced.groundingNanoUsd * plainScale,
  }
  // All terms are whole and none is negative, so a sum in range means that each step was.
  const reached =
    weigh(priced.prompt, rates.input) + parts.cached + parts.output + parts.thoughts + parts.toolUse + parts.grounding
  return Number.isSafeInteger(reached) ? parts : null
}

/** Divides and rounds half to even; both whole and not negative, the amount within the range of safe integers. */
export function roundPlain(amount: number, divisor: number): number {
  const rest = amount % divisor
  const whole = (amount - rest) / divisor
  return rest * 2 > divisor || (rest * 2 === divisor && whole % 2 === 1) ? whole + 1 : whole
}

function weigh(split: Split, rates: Rates['input']): number {
  return (
    (split.text + split.document) * rates.text +
    split.audio * rates.audio +
    split.image * rates.image +
    split.video * rates.video
  )
}

function weighCached(split: Split, { cached, input }: Rates): number {
  return (
    (split.text + split.document) * Math.min(cached.text, input.text) +
    split.audio * Math.min(cached.audio, input.audio) +
    split.image * Math.min(cached.image, input.image) +
    split.video * Math.min(cached.video, input.video)
  )
}
