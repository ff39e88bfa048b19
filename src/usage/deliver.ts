// A report as somebody gets it: made from the books, in the form that was asked for, or sent by mail.
import type { Config } from '../../config/schema.ts'
import type { Books } from './books.ts'
import { mailOptionsOf, suggestSettingsOf } from './configured.ts'
import { createMailer, MailError } from './mail.ts'
import { type ReportRequest, readReport } from './report.ts'
import { reportCsv } from './report-csv.ts'
import type { Report } from './report-data.ts'
import { reportHtml } from './report-html.ts'
import { reportText } from './report-text.ts'
import { type Suggestion, suggest } from './suggest.ts'

/** What a report is made from. */
export type ReportSource = Pick<Books, 'ledger' | 'calendar' | 'prices'> & { config: Config; now: () => number }

export interface FullReport {
  report: Report
  suggestions: Suggestion[]
}

/** Reads the ledger. Rejects as the ledger does. */
export async function makeReport(request: ReportRequest, source: ReportSource): Promise<FullReport> {
  const read = await readReport(request, source)
  return {
    report: read.report,
    suggestions: suggest(read, { prices: source.prices, settings: suggestSettingsOf(source.config) }),
  }
}

export const reportFormats = ['json', 'text', 'html', 'csv'] as const
export type ReportFormat = (typeof reportFormats)[number]

/** Media types of the forms. */
export const reportTypes: Record<ReportFormat, string> = {
  json: 'application/json; charset=UTF-8',
  text: 'text/plain; charset=UTF-8',
  html: 'text/html; charset=UTF-8',
  csv: 'text/csv; charset=UTF-8',
}

/** The report in one of its forms. The CSV has figures only, so that a spreadsheet can add them up. */
export function renderReport({ report, suggestions }: FullReport, format: ReportFormat): string {
  if (format === 'text') return reportText(report, suggestions)
  if (format === 'html') return reportHtml(report, suggestions)
  if (format === 'csv') return reportCsv(report)
  return `${JSON.stringify({ ...report, suggestions }, null, 2)}\n`
}

/**
 * Sends a report. Resolves to the addresses that the mail server took and those it did not.
 * @throws MailError, `unreachable` also when no mail server is set
 */
export async function mailReport(
  to: string[],
  { report, suggestions }: FullReport,
  config: Pick<Config, 'mail'>,
): Promise<{ accepted: string[]; rejected: string[] }> {
  const options = mailOptionsOf(config)
  if (options === null) throw new MailError('unreachable', 'no mail server is set: mail.host in gateway.yaml is empty')
  const mailer = createMailer(options)
  try {
    return await mailer.sendReport(to, report, suggestions)
  } finally {
    mailer.close()
  }
}
