import { Readable } from 'node:stream'
import { Type } from 'typebox'
import { focusCsv } from '../../usage/focus.ts'
import { periodOf } from '../../usage/report.ts'
import { defineRoute } from '../route.ts'
import { booksOf, days } from './report.ts'

const defaultExport = 30

export const exportUsage = defineRoute({
  method: 'GET',
  path: '/usage/export/',
  scope: 'read',
  summary: 'Usage and cost by day, client, tags, model, tier and meter, as FOCUS rows for cost tools',
  querySchema: Type.Object(
    { days, format: Type.Optional(Type.Enum(['focus'], { description: 'FOCUS 1.2 columns as CSV' })) },
    { additionalProperties: false },
  ),
  produces: 'text/csv; charset=UTF-8',
  handler({ query, answer }, house) {
    const { ledger, calendar, prices } = booksOf(house)
    const { fromMs, toMs } = periodOf({ days: query.days ?? defaultExport }, calendar, house.desk.now())
    const name = `castor-focus-${calendar.date(fromMs)}-${calendar.date(toMs - 1)}.csv`
    answer.header('content-disposition', `attachment; filename="${name}"`)
    // A row at a time: years of days are never in memory at once.
    return Readable.from(focusCsv(fromMs, toMs, { ledger, calendar, prices }))
  },
})
