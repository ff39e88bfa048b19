// A report as one flat CSV table: section, name, measure, value. Made for pivot tables, safe to open.
import { csvLine } from './csv.ts'
import type { Group } from './group.ts'
import type { Report } from './report-data.ts'
import { printable } from './words.ts'

/** CSV with a header line. Money in USD, shares 0 … 1, times in ms; an empty value means there is nothing to tell. */
export function reportCsv(report: Report): string {
  let text = csvLine(['from', 'to', 'section', 'name', 'measure', 'value'])
  const line = (section: string, name: string, measure: string, value: number | null): void => {
    text += csvLine([report.from, report.to, section, printable(name), measure, value])
  }
  const figures = (section: string, name: string, values: object): void => {
    for (const [measure, value] of Object.entries(values)) {
      if (typeof value === 'number' || value === null) line(section, name, measure, value)
    }
  }
  figures('headline', '', report.headline)
  for (const [name, { value }] of Object.entries(report.grades)) line('grades', '', name, value)
  figures('calls', '', report.calls)
  figures('latency', 'answer', report.latency)
  figures('latency', 'firstByte', report.firstByte)
  figures('tokens', '', report.tokens)
  figures('costUsd', '', report.cost)
  figures('cache', '', report.cache)
  figures('cacheHits', '', report.cache.bySource)
  figures('cacheBypassed', '', report.cache.bypassed)
  figures('savingsUsd', '', report.savings)
  figures('reliability', '', report.reliability)
  figures('waste', '', { usd: report.waste.usd, share: report.waste.share, retriesUsd: report.waste.retriesUsd })
  for (const item of report.errors) line('errors', `${item.outcome} ${item.error} ${item.model}`, 'count', item.count)
  for (const [kind, groups] of Object.entries(report.by)) {
    for (const group of groups) figures(`by ${kind}`, group.name, withoutName(group))
  }
  for (const item of report.byDay) figures('by day', item.label, item)
  for (const item of report.byHour) figures('by hour', item.label, item)
  figures('quality', '', report.quality)
  return text
}

function withoutName(group: Group): Omit<Group, 'name'> {
  const { name: _, ...rest } = group
  return rest
}
