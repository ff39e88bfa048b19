// Usage as rows of the FinOps Open Cost and Usage Specification (FOCUS) 1.2, for cost tools that read it.
import { type Calendar, dayMs } from '../schedule/calendar.ts'
import { csvLine } from './csv.ts'
import { parseTags } from './event.ts'
import type { Ledger, LedgerRow } from './ledger.ts'
import type { MeasureName } from './measure.ts'
import type { Prices } from './prices.ts'
import type { Rates } from './rates.ts'
import { printable } from './words.ts'

// Each meter: its tokens, its money, and its rate per million tokens.
const meters: readonly {
  name: string
  tokens: MeasureName
  cost: MeasureName
  rate: (rates: Rates) => number | undefined
}[] = [
  { name: 'input', tokens: 'prompt', cost: 'costInput', rate: (rates) => rates.input.text },
  { name: 'cached input', tokens: 'cached', cost: 'costCached', rate: (rates) => rates.cached.text },
  { name: 'tool use input', tokens: 'toolUse', cost: 'costToolUse', rate: (rates) => rates.input.text },
  { name: 'output', tokens: 'candidates', cost: 'costOutput', rate: (rates) => rates.output?.text },
  { name: 'thinking output', tokens: 'thoughts', cost: 'costThoughts', rate: (rates) => rates.output?.text },
]

/** The columns, FOCUS 1.2 first, ours with the prefix `x_` as the specification asks. */
export const focusColumns = [
  'BilledCost',
  'EffectiveCost',
  'ListCost',
  'ContractedCost',
  'BillingAccountId',
  'BillingCurrency',
  'BillingPeriodStart',
  'BillingPeriodEnd',
  'ChargeCategory',
  'ChargeClass',
  'ChargeDescription',
  'ChargeFrequency',
  'ChargePeriodStart',
  'ChargePeriodEnd',
  'ConsumedQuantity',
  'ConsumedUnit',
  'InvoiceIssuerName',
  'ListUnitPrice',
  'PricingCategory',
  'PricingCurrency',
  'PricingQuantity',
  'PricingUnit',
  'ProviderName',
  'PublisherName',
  'ServiceCategory',
  'ServiceName',
  'SkuId',
  'SkuMeter',
  'SkuPriceId',
  'SubAccountId',
  'Tags',
  'x_InteractionType',
  'x_ServiceTier',
  'x_Calls',
  'x_EstimatedCost',
  'x_SavedCost',
  'x_UnpricedAttempts',
] as const

export interface FocusOptions {
  ledger: Ledger
  calendar: Calendar
  prices: Prices
  /** The Google billing account, if ops name it. */
  billingAccountId?: string
}

/**
 * Yields CSV lines, the header first: a row per day, client, tags, interaction type, model, tier and meter. Days are the
 * calendar's; money in USD. Savings stand in an `x_` column and never as credits, since no invoice has them.
 */
export async function* focusCsv(fromMs: number, toMs: number, options: FocusOptions): AsyncGenerator<string> {
  const { ledger, calendar } = options
  yield csvLine([...focusColumns])
  for (let day = calendar.dayStart(fromMs); day < toMs; day = calendar.addDays(day, 1)) {
    const end = calendar.addDays(day, 1)
    const rows = await ledger.read({ fromMs: day, toMs: end, by: 'dimensions', detail: 'sums' })
    for (const row of rows) {
      for (const line of linesOf(row, day, end, options)) yield line
    }
  }
}

function* linesOf(row: LedgerRow, day: number, end: number, options: FocusOptions): Generator<string> {
  const { dimensions, measures } = row
  if (!dimensions || (measures.attempts === 0 && measures.calls === 0)) return
  const model = dimensions.modelServed || dimensions.modelAsked
  const price = options.prices.lookup(model, day)
  // Per-call figures stand on the first row of a combination only, or summing the column would multiply them.
  let first = true
  const write = (meter: string, quantity: number, unit: string, costNanoUsd: number, unitPrice: number | null) => {
    const line = csvLine(
      cells(
        row,
        { day, end, meter, model: printable(model), quantity, unit, costUsd: costNanoUsd / 1e9, unitPrice, first },
        options,
      ),
    )
    first = false
    return line
  }
  for (const meter of meters) {
    const tokens = meter.name === 'input' ? measures.prompt - measures.cached : measures[meter.tokens]
    if (tokens === 0 && measures[meter.cost] === 0) continue
    const rate = price ? meter.rate(price.rates) : undefined
    yield write(meter.name, tokens, 'Tokens', measures[meter.cost], rate === undefined ? null : rate / 1e9)
  }
  if (measures.groundingQueries > 0) {
    const unitPrice = price?.grounding ? price.grounding.nanoUsd / 1e9 : null
    yield write('search grounding', measures.groundingQueries, 'Queries', measures.costGrounding, unitPrice)
  }
  // Answers from memory used nothing, but what they saved belongs to the day.
  if (first) yield write('answered by Castor', 0, 'Tokens', 0, null)
}

interface Line {
  day: number
  end: number
  meter: string
  model: string
  quantity: number
  unit: string
  costUsd: number
  unitPrice: number | null
  first: boolean
}

function cells(row: LedgerRow, line: Line, options: FocusOptions): (string | number | null)[] {
  const { calendar } = options
  const { dimensions: of, measures: sum } = row
  const monthStart = calendar.monthStart(line.day)
  const perMillion = line.unit === 'Tokens'
  const pricingQuantity = perMillion ? line.quantity / 1e6 : line.quantity
  const saved = sum.savedExact + sum.savedSemantic + sum.savedCoalesced + sum.savedTier + sum.savedTrim
  const values: Record<(typeof focusColumns)[number], string | number | null> = {
    BilledCost: line.costUsd,
    EffectiveCost: line.costUsd,
    ListCost: line.unitPrice === null ? line.costUsd : line.unitPrice * pricingQuantity,
    ContractedCost: line.costUsd,
    BillingAccountId: options.billingAccountId ?? null,
    BillingCurrency: 'USD',
    BillingPeriodStart: iso(monthStart),
    BillingPeriodEnd: iso(calendar.monthStart(monthStart + 32 * dayMs)),
    ChargeCategory: 'Usage',
    ChargeClass: null,
    ChargeDescription: `${line.model} ${line.meter}`,
    ChargeFrequency: 'Usage-Based',
    ChargePeriodStart: iso(line.day),
    ChargePeriodEnd: iso(line.end),
    ConsumedQuantity: line.quantity,
    ConsumedUnit: line.unit,
    InvoiceIssuerName: 'Google',
    ListUnitPrice: line.unitPrice,
    PricingCategory: 'Standard',
    PricingCurrency: 'USD',
    PricingQuantity: pricingQuantity,
    PricingUnit: perMillion ? '1M Tokens' : 'Queries',
    ProviderName: 'Google',
    PublisherName: 'Google',
    ServiceCategory: 'AI and Machine Learning',
    ServiceName: 'Gemini API',
    SkuId: `${line.model}/${line.meter}`,
    SkuMeter: line.meter,
    SkuPriceId: `${line.model}/${line.meter}/${of?.tier ?? ''}`,
    SubAccountId: printable(of?.tenant ?? ''),
    Tags: JSON.stringify(parseTags(of?.tags ?? '')),
    x_InteractionType: printable(of?.interaction ?? ''),
    x_ServiceTier: of?.tier ?? '',
    x_Calls: line.first ? sum.calls : 0,
    x_EstimatedCost: line.first ? sum.estimatedCost / 1e9 : 0,
    x_SavedCost: line.first ? saved / 1e9 : 0,
    x_UnpricedAttempts: line.first ? sum.unpricedAttempts : 0,
  }
  return focusColumns.map((name) => values[name])
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString()
}
