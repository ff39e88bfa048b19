import { Type } from 'typebox'
import { GatewayError } from '../../gemini/errors.ts'
import type { House } from '../../house.ts'
import { mostDays } from '../../usage/days.ts'
import {
  type FullReport,
  mailReport,
  makeReport,
  renderReport,
  reportFormats,
  reportTypes,
} from '../../usage/deliver.ts'
import { MailError } from '../../usage/mail.ts'
import { defineRoute } from '../route.ts'

/** Calendar days of a period, the running one included. */
export const days = Type.Optional(
  Type.Integer({ minimum: 1, maximum: mostDays, description: 'calendar days, the running one included; default 7' }),
)
export const defaultDays = 7

export const generateReport = defineRoute({
  method: 'POST',
  path: '/report/generate/',
  scope: 'operate',
  summary: 'The usage report, as JSON, text, HTML or CSV; with recipients it is also sent by mail',
  bodySchema: Type.Object(
    {
      days,
      tenant: Type.Optional(
        Type.String({ minLength: 1, maxLength: 128, description: 'only this caller, as reports name it' }),
      ),
      email_recipients: Type.Optional(
        Type.Array(Type.String({ maxLength: 254 }), { maxItems: 50, description: 'who gets it by mail' }),
      ),
      format: Type.Optional(Type.Enum([...reportFormats], { description: 'of the answer; default json' })),
    },
    { additionalProperties: false },
  ),
  responseSchema: Type.Record(Type.String(), Type.Unknown()),
  produces: reportTypes.json,
  async handler({ body, answer }, house) {
    const { format = 'json', email_recipients: to = [], tenant } = body
    const made = await readBooks(house, body.days ?? defaultDays, tenant)
    answer.header('content-type', reportTypes[format])
    if (to.length === 0) return renderReport(made, format)
    const mail = await send(to, made, house)
    answer.header('x-castor-mailed', String(mail.accepted.length))
    if (format !== 'json') return renderReport(made, format)
    return `${JSON.stringify({ ...made.report, suggestions: made.suggestions, mail }, null, 2)}\n`
  },
})

/**
 * The report on the last days, from the books of this house.
 * @throws GatewayError CASTOR_USAGE_UNAVAILABLE
 */
export async function readBooks(house: House, days: number, tenant?: string): Promise<FullReport> {
  const { desk, settings } = house
  const { ledger, calendar, prices } = booksOf(house)
  try {
    return await makeReport(
      { days, ...(tenant === undefined ? {} : { tenant }) },
      { ledger, calendar, prices, config: settings.current, now: desk.now },
    )
  } catch (cause) {
    throw new GatewayError('CASTOR_USAGE_UNAVAILABLE', 'The usage file cannot be read at the moment.', { cause })
  }
}

export function booksOf({ books }: Pick<House, 'books'>) {
  if (books !== null) return books
  throw new GatewayError('CASTOR_USAGE_UNAVAILABLE', 'Metering is off (metering.enabled), so there are no figures.')
}

async function send(to: string[], made: FullReport, { settings }: House) {
  try {
    return await mailReport(to, made, settings.current)
  } catch (error) {
    if (!(error instanceof MailError)) throw error
    if (error.reason !== 'addresses')
      throw new GatewayError('CASTOR_MAIL_FAILED', `${capital(error.message)}.`, { cause: error })
    const message = `The field email_recipients is wrong: ${error.message}.`
    const violations = [{ field: 'email_recipients', description: message }]
    throw new GatewayError('CASTOR_BAD_PARAMETER', message, { cause: error, violations })
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
