// Google's bill as exported from the console (Reports or Cost table, CSV) or from the BigQuery export: days, SKUs, money.
import { parseCsv } from './csv.ts'

export interface BillLine {
  /** YYYY-MM-DD; Google's days are Pacific. */
  date: string
  sku: string
  costUsd: number
}

/** A bill that cannot be read. `message` says which column is missing and is safe to show. */
export class BadBill extends Error {
  override name = 'BadBill'
}

// Each export names its columns a little differently.
const dateNames = /^(usage )?(start )?date$|^usage start( date| time)?$|^usage_start_time$|^day$/
const skuNames = /^sku( description)?$|^sku\.description$|^sku_description$/
const costNames = /^cost( \(.*\))?$|^unrounded cost( \(.*\))?$|^subtotal( \(.*\))?$|^unrounded subtotal( \(.*\))?$/
const currencyNames = /^currency$/
const serviceNames = /^service( description)?$|^service\.description$|^service_description$/

/** Reads the lines of Gemini's services. Throws BadBill when it is no bill, or not in USD. */
export function readBill(text: string): BillLine[] {
  const rows = parseCsv(text)
  // Exports begin with some lines about the account; the header is the first line that names date, SKU and cost.
  const headerAt = rows.findIndex((row) => [dateNames, skuNames, costNames].every((name) => columnOf(row, name) >= 0))
  const header = rows[headerAt]
  if (!header) throw new BadBill('the bill needs the columns "Usage start date", "SKU description" and "Cost ($)"')
  const at = {
    date: columnOf(header, dateNames),
    sku: columnOf(header, skuNames),
    cost: columnOf(header, costNames),
    currency: columnOf(header, currencyNames),
    service: columnOf(header, serviceNames),
  }
  const lines: BillLine[] = []
  for (const row of rows.slice(headerAt + 1)) {
    const date = readDate(row[at.date] ?? '')
    const costUsd = readMoney(row[at.cost] ?? '')
    // Totals and taxes below the table have no date.
    if (date === null || costUsd === null) continue
    const currency = at.currency >= 0 ? (row[at.currency] ?? '').trim() : ''
    if (currency !== '' && currency !== 'USD')
      throw new BadBill(`the bill is in ${currency.slice(0, 8)}; Castor reckons in USD`)
    const sku = row[at.sku] ?? ''
    if (isGemini(at.service >= 0 ? (row[at.service] ?? '') : '', sku)) lines.push({ date, sku, costUsd })
  }
  return lines
}

function columnOf(row: string[], name: RegExp): number {
  return row.findIndex((cell) => name.test(cell.trim().toLowerCase()))
}

function isGemini(service: string, sku: string): boolean {
  return /gemini|generative language|vertex ai/i.test(service) ? !/storage|training/i.test(sku) : /gemini/i.test(sku)
}

/** 2026-11-20, 2026-11-20T08:00:00Z, 2026-11-20 08:00:00 UTC or 11/20/2026. */
function readDate(text: string): string | null {
  const iso = /^(\d{4}-\d{2}-\d{2})(?:$|[T ])/.exec(text.trim())
  if (iso?.[1]) return iso[1]
  const us = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/.exec(text.trim())
  return us ? `${us[3]}-${us[1]?.padStart(2, '0')}-${us[2]?.padStart(2, '0')}` : null
}

function readMoney(text: string): number | null {
  const plain = text
    .trim()
    .replace(/^'/, '')
    .replace(/[$,\s]/g, '')
  if (plain === '' || !/^-?\d*\.?\d+(?:e-?\d+)?$/i.test(plain)) return null
  return Number(plain)
}
