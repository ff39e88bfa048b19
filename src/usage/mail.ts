// Reports by mail: HTML and text, the figures as CSV beside them.
import { createTransport } from 'nodemailer'
import { reportCsv } from './report-csv.ts'
import type { Report } from './report-data.ts'
import { reportHtml } from './report-html.ts'
import { reportText, titleOf } from './report-text.ts'
import type { Suggestion } from './suggest.ts'

export interface MailOptions {
  host: string
  port: number
  /** TLS from the first byte (port 465); otherwise STARTTLS where the server offers it. */
  secure: boolean
  /** Refuse to go on without TLS. */
  requireTls?: boolean
  user?: string
  password?: string
  from: string
  /** Extra certificate authority, PEM. */
  ca?: string
  /** How long the server may take, ms. */
  timeoutMs?: number
}

/** A mail that did not go out. `message` names neither the password nor the mail server's answer in full. */
export class MailError extends Error {
  override name = 'MailError'
  readonly reason: 'unreachable' | 'refused' | 'credentials' | 'addresses'
  constructor(reason: MailError['reason'], message: string, cause?: unknown) {
    super(message, { cause })
    this.reason = reason
  }
}

export interface Mailer {
  /** Sends a report; rejects with MailError. Resolves to the addresses the server took and those it did not. */
  sendReport(
    to: string[],
    report: Report,
    suggestions?: Suggestion[],
  ): Promise<{ accepted: string[]; rejected: string[] }>
  close(): void
}

const mostRecipients = 50

/** Makes a mailer; nothing is opened before the first mail. Throws MailError when `from` is no address. */
export function createMailer(options: MailOptions): Mailer {
  const [from = ''] = readAddresses([options.from])
  const timeout = options.timeoutMs ?? 15_000
  const transport = createTransport({
    host: options.host,
    port: options.port,
    secure: options.secure,
    requireTLS: options.requireTls ?? false,
    ...(options.user ? { auth: { user: options.user, pass: options.password ?? '' } } : {}),
    ...(options.ca ? { tls: { ca: options.ca } } : {}),
    connectionTimeout: timeout,
    greetingTimeout: timeout,
    socketTimeout: timeout,
    dnsTimeout: timeout,
    // Nothing in a message may make the mailer read files or fetch URLs.
    disableFileAccess: true,
    disableUrlAccess: true,
  })

  async function sendReport(to: string[], report: Report, suggestions: Suggestion[] = []) {
    const recipients = readAddresses(to)
    try {
      const sent = await transport.sendMail({
        from,
        to: recipients,
        subject: titleOf(report),
        text: reportText(report, suggestions),
        html: reportHtml(report, suggestions),
        attachments: [
          {
            filename: `castor-usage-${report.from}-${report.to}.csv`,
            contentType: 'text/csv; charset=utf-8',
            content: reportCsv(report),
          },
        ],
        headers: { 'Auto-Submitted': 'auto-generated' },
      })
      return { accepted: sent.accepted.map(String), rejected: sent.rejected.map(String) }
    } catch (error) {
      throw mailError(error, options)
    }
  }

  return { sendReport, close: () => transport.close() }
}

/**
 * Checks addresses: plain `name@host`, no display names, no control characters, at most 50. Throws MailError. Stricter than
 * RFC 5321 on purpose: what is refused here cannot become a second header or a second recipient.
 */
export function readAddresses(given: unknown): string[] {
  const list = typeof given === 'string' ? given.split(',') : given
  if (!Array.isArray(list) || list.length === 0) throw new MailError('addresses', 'no e-mail address was given')
  if (list.length > mostRecipients) throw new MailError('addresses', `at most ${mostRecipients} e-mail addresses`)
  const addresses = new Set<string>()
  for (const item of list) {
    const text = typeof item === 'string' ? item.trim() : ''
    if (!isAddress(text)) throw new MailError('addresses', `${JSON.stringify(text.slice(0, 80))} is no e-mail address`)
    addresses.add(text)
  }
  return [...addresses]
}

function isAddress(text: string): boolean {
  if (text.length > 254) return false
  return /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]|\.(?=[A-Za-z0-9]))*$/.test(text)
}

function mailError(error: unknown, options: MailOptions): MailError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const server = `${options.host}:${options.port}`
  if (code === 'EAUTH') return new MailError('credentials', `the mail server ${server} refused user or password`, error)
  if (code === 'EENVELOPE' || code === 'EMESSAGE') {
    return new MailError('refused', `the mail server ${server} refused the message or its recipients`, error)
  }
  return new MailError('unreachable', `the mail server ${server} cannot be reached (${code || 'no answer'})`, error)
}
