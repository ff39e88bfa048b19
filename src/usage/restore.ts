// After a restart the budgets learn from the ledger what the running day and month have spent already.
import type { Calendar } from '../schedule/calendar.ts'
import { type BudgetRule, subjectOf } from './account.ts'
import type { Budgets } from './budget.ts'
import { parseTags } from './event.ts'
import type { Ledger } from './ledger.ts'
import { windowStart } from './window.ts'

/** Reads the ledger once per window and fills every account it concerns. Rejects when the ledger cannot be read. */
export async function restoreBudgets(
  budgets: Budgets,
  rules: BudgetRule[],
  ledger: Ledger,
  calendar: Calendar,
  nowMs: number,
): Promise<void> {
  for (const kind of ['day', 'month'] as const) {
    const concerned = rules.filter((rule) => (kind === 'day' ? rule.nanoUsdPerDay : rule.nanoUsdPerMonth) !== undefined)
    if (concerned.length === 0) continue
    const rows = await ledger.read({ fromMs: windowStart(kind, calendar, nowMs), toMs: nowMs + 1, by: 'dimensions' })
    for (const row of rows) {
      if (!row.dimensions || row.measures.cost === 0) continue
      const of = { tenant: row.dimensions.tenant, tags: parseTags(row.dimensions.tags) }
      for (const rule of concerned) {
        const subject = subjectOf(rule, of)
        if (subject !== null) budgets.restore(rule.name, subject, kind, row.measures.cost)
      }
    }
  }
}
