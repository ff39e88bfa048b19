// Castor's days beside Google's bill: what matches, what does not, and why it might not.
import { createCalendar } from '../schedule/calendar.ts'
import type { BillLine } from './bill.ts'
import type { Ledger, LedgerRow } from './ledger.ts'

export type ReconcileVerdict = 'match' | 'castor higher' | 'bill higher' | 'only Castor' | 'only the bill'

export interface ReconcileLine {
  date: string
  /** The model the bill's SKU names, as far as it can be told; `(other)` otherwise. */
  model: string
  castorUsd: number
  billUsd: number
  differenceUsd: number
  verdict: ReconcileVerdict
  /** What Castor knows that may explain it. */
  hints: string[]
}

export interface Reconciliation {
  from: string
  to: string
  lines: ReconcileLine[]
  castorUsd: number
  billUsd: number
  /** Castor's total as a share of the bill's; null without a bill. */
  captured: number | null
}

export interface ReconcileOptions {
  ledger: Ledger
  /** Relative difference that still matches. */
  tolerance?: number
  /** And the difference in USD that nobody cares about. */
  toleranceUsd?: number
}

// Google bills by Pacific days (cloud.google.com/billing/docs, "usage start date").
const billZone = 'America/Los_Angeles'

/** Compares a bill with the ledger, day by day and model by model. Needs the hours of those days: see retention.hourDays. */
export async function reconcile(bill: BillLine[], options: ReconcileOptions): Promise<Reconciliation> {
  const { ledger, tolerance = 0.02, toleranceUsd = 0.01 } = options
  const calendar = createCalendar(billZone)
  const dates = [...new Set(bill.map((line) => line.date))].sort()
  const lines: ReconcileLine[] = []
  for (const date of dates) {
    const fromMs = calendar.startOf(date)
    if (Number.isNaN(fromMs)) continue
    const toMs = calendar.addDays(fromMs, 1)
    const rows = await ledger.read({ fromMs, toMs, by: 'dimensions', detail: 'sums' })
    const castor = byModel(rows)
    const models = [...castor.keys()]
    const billed = new Map<string, number>()
    for (const line of bill) {
      if (line.date !== date) continue
      const model = modelOfSku(line.sku, models)
      billed.set(model, (billed.get(model) ?? 0) + line.costUsd)
    }
    for (const model of new Set([...models, ...billed.keys()])) {
      const own = castor.get(model)
      const castorUsd = (own?.cost ?? 0) / 1e9
      const billUsd = billed.get(model) ?? 0
      if (castorUsd === 0 && billUsd === 0 && !own?.unpriced) continue
      const verdict = verdictOf(castorUsd, billUsd, tolerance, toleranceUsd)
      const hints = verdict === 'match' ? [] : hintsOf(verdict, own)
      lines.push({ date, model, castorUsd, billUsd, differenceUsd: castorUsd - billUsd, verdict, hints })
    }
  }
  const castorUsd = lines.reduce((sum, line) => sum + line.castorUsd, 0)
  const billUsd = lines.reduce((sum, line) => sum + line.billUsd, 0)
  return {
    from: dates[0] ?? '',
    to: dates.at(-1) ?? '',
    lines,
    castorUsd,
    billUsd,
    captured: billUsd > 0 ? castorUsd / billUsd : null,
  }
}

interface Own {
  cost: number
  estimated: number
  unpriced: number
  grounding: number
}

function byModel(rows: LedgerRow[]): Map<string, Own> {
  const models = new Map<string, Own>()
  for (const { dimensions, measures } of rows) {
    if (!dimensions || measures.attempts === 0) continue
    const model = dimensions.modelServed || dimensions.modelAsked
    const own = models.get(model) ?? { cost: 0, estimated: 0, unpriced: 0, grounding: 0 }
    own.cost += measures.cost
    own.estimated += measures.estimatedCost
    own.unpriced += measures.unpricedAttempts
    own.grounding += measures.costGrounding
    models.set(model, own)
  }
  return models
}

/**
 * The model a SKU is about: "Generate content output token count gemini 2.5 flash short input text" is gemini-2.5-flash.
 * The longest name wins, so that Flash-Lite is not taken for Flash; a name the ledger does not have is read off the text.
 */
export function modelOfSku(sku: string, models: string[]): string {
  const text = ` ${plain(sku)} `
  const read =
    /\bgemini (?:live )?\d+(?: \d+)?(?: (?:flash lite|flash|pro|argon|ultra))(?: (?:image|live|tts|native audio))?/.exec(
      text,
    )
  const named = read ? read[0].trim() : ''
  let found = ''
  for (const model of models) {
    const words = plain(model.replace(/-(?:preview|latest|exp)\b.*$|-\d{3}$/, ''))
    if (words !== named && !(named === '' && text.includes(` ${words} `))) continue
    if (words.length > plain(found).length) found = model
  }
  if (found !== '') return found
  return named === '' ? '(other)' : named.replace(/(\d) (\d)/, '$1.$2').replaceAll(' ', '-')
}

function plain(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')
    .trim()
}

function verdictOf(castorUsd: number, billUsd: number, tolerance: number, toleranceUsd: number): ReconcileVerdict {
  const difference = Math.abs(castorUsd - billUsd)
  if (difference <= Math.max(toleranceUsd, tolerance * billUsd)) return 'match'
  if (billUsd === 0) return 'only Castor'
  if (castorUsd === 0) return 'only the bill'
  return castorUsd > billUsd ? 'castor higher' : 'bill higher'
}

function hintsOf(verdict: ReconcileVerdict, own: Own | undefined): string[] {
  const hints: string[] = []
  if (own && own.unpriced > 0) hints.push(`${own.unpriced} attempts have no price in Castor`)
  if (own && own.estimated > 0) hints.push(`$${(own.estimated / 1e9).toFixed(2)} of Castor's figure rests on estimates`)
  if (verdict === 'bill higher' || verdict === 'only the bill') hints.push('calls may go to Google around Castor')
  if (verdict === 'castor higher' && own && own.grounding > 0)
    hints.push('Castor does not know the free allowance of search grounding')
  if (verdict === 'castor higher' || verdict === 'only Castor')
    hints.push('the bill may lack late usage, or discounts and credits apply')
  return hints
}
