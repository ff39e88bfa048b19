// A report over calendar days: the data, without any words. report-text, -html, -csv and JSON.stringify show it.
import type { Calendar } from '../schedule/calendar.ts'
import { grade } from './grade.ts'
import {
  byInteraction,
  byModel,
  byOperation,
  bySource,
  byTag,
  byTenant,
  byTier,
  groupBy,
  isInteraction,
  share,
  sumMeasures,
  sumRows,
  usd,
} from './group.ts'
import type { Ledger, LedgerRow } from './ledger.ts'
import type { Report } from './report-data.ts'
import {
  cacheFigures,
  callFigures,
  changeOf,
  costFigures,
  errorPatterns,
  growthOf,
  hoursOfDay,
  percentiles,
  point,
  qualityFigures,
  reliabilityFigures,
  savingsFigures,
  tokenFigures,
  wasteFigures,
} from './report-figures.ts'
import { netSavings } from './savings.ts'

export interface ReportRequest {
  days: number
  /** true: the last whole days, up to midnight · false: including the running day. */
  completeDays?: boolean
  tenant?: string
}

export interface ReportOptions {
  ledger: Ledger
  calendar: Calendar
  now: () => number
}

const shownGroups = 20

/** A report and the rows it was made from, for suggestions. */
export interface ReportWithRows {
  report: Report
  rows: LedgerRow[]
}

/** The report alone. */
export async function createReport(request: ReportRequest, options: ReportOptions): Promise<Report> {
  return (await readReport(request, options)).report
}

/** Reads the ledger and makes the report of `request.days` calendar days (23 and 25 hours included). Rejects as the ledger does. */
export async function readReport(request: ReportRequest, options: ReportOptions): Promise<ReportWithRows> {
  const { ledger, calendar } = options
  const nowMs = options.now()
  const period = periodOf(request, calendar, nowMs)
  const { fromMs, toMs, days } = period
  const tenant = request.tenant === undefined ? {} : { tenant: request.tenant }
  const rows = await ledger.read({ fromMs, toMs, by: 'dimensions', ...tenant })
  const before = await ledger.read({
    fromMs: calendar.addDays(fromMs, -days),
    toMs: previousEnd(toMs, days, calendar),
    by: 'dimensions',
    detail: 'headline',
    ...tenant,
  })
  const byDay = await ledger.read({ fromMs, toMs, by: 'day', detail: 'sums', ...tenant })
  const byHour = await ledger.read({ fromMs, toMs, by: 'hour', detail: 'sums', ...tenant })

  const all = sumMeasures(rows)
  const interactions = rows.filter(isInteraction)
  const asked = sumRows(interactions)
  const previous = sumMeasures(before)
  const calls = callFigures(rows, all, asked.measures)
  const cache = cacheFigures(interactions, asked.measures)
  const perInteraction = share(usd(all.cost), asked.measures.calls)
  const latency = percentiles(asked.latency)
  const report: Report = {
    zone: calendar.zone,
    from: calendar.date(fromMs),
    to: calendar.date(toMs - 1),
    ...period,
    generatedAtMs: nowMs,
    tenant: request.tenant ?? null,
    headline: {
      costUsd: usd(all.cost),
      previousCostUsd: usd(previous.cost),
      costChange: changeOf(all.cost, previous.cost),
      netSavedUsd: usd(netSavings(all).net),
      calls: all.calls,
      callsChange: changeOf(all.calls, previous.calls),
      costPerInteractionUsd: perInteraction,
      monthForecastUsd: await forecast(all.cost, period, options, tenant),
    },
    grades: {
      hitRate: { value: cache.hitRate, grade: grade('hitRate', cache.hitRate) },
      errorRate: { value: calls.errorRate, grade: grade('errorRate', calls.errorRate) },
      responseMs: { value: latency.p50Ms, grade: grade('responseMs', latency.p50Ms) },
      costPerInteractionUsd: { value: perInteraction, grade: grade('costPerInteractionUsd', perInteraction) },
    },
    calls,
    latency,
    firstByte: percentiles(asked.firstByte),
    tokens: tokenFigures(all),
    cost: costFigures(all),
    cache,
    savings: savingsFigures(all),
    errors: errorPatterns(rows),
    reliability: reliabilityFigures(rows),
    waste: wasteFigures(rows, all),
    by: {
      model: groupBy(rows, before, byModel, shownGroups),
      tenant: groupBy(rows, before, byTenant, shownGroups),
      tag: groupBy(rows, before, byTag, shownGroups),
      interaction: groupBy(rows, before, byInteraction, shownGroups),
      operation: groupBy(rows, before, byOperation, shownGroups),
      tier: groupBy(rows, before, byTier, shownGroups),
      source: groupBy(rows, before, bySource, shownGroups),
    },
    byDay: byDay.map((row) => point(calendar.date(row.bucketMs ?? 0), [row])),
    byHour: hoursOfDay(byHour, calendar),
    growth: growthOf(rows, before),
    quality: qualityFigures(all, ledger.state()),
  }
  return { report, rows }
}

/** The days of a report: whole local days up to midnight, or up to now with the running day as the last. */
export function periodOf(
  request: ReportRequest,
  calendar: Calendar,
  nowMs: number,
): { fromMs: number; toMs: number; days: number } {
  const { days } = request
  if (request.completeDays) {
    const toMs = calendar.dayStart(nowMs)
    return { fromMs: calendar.addDays(toMs, -days), toMs, days }
  }
  return { fromMs: calendar.addDays(nowMs, 1 - days), toMs: nowMs + 1, days }
}

/** Where the period before ends: at the same time of the same kind of day. */
function previousEnd(toMs: number, days: number, calendar: Calendar): number {
  return calendar.addDays(toMs, -days) + (toMs - calendar.dayStart(toMs))
}

/** nano-USD of the month so far, and for its rest what a day of the period cost on average. */
async function forecast(
  costNanoUsd: number,
  period: { fromMs: number; toMs: number },
  options: ReportOptions,
  tenant: { tenant?: string },
): Promise<number> {
  const { ledger, calendar } = options
  const nowMs = options.now()
  const monthMs = calendar.monthStart(nowMs)
  const endMs = calendar.monthStart(calendar.addDays(monthMs, 32))
  const sofar = await ledger.read({ fromMs: monthMs, toMs: nowMs + 1, by: 'day', detail: 'headline', ...tenant })
  const perMs = costNanoUsd / Math.max(1, period.toMs - period.fromMs)
  return usd(sumMeasures(sofar).cost + perMs * (endMs - nowMs))
}
