import { choice, decimal, duration, flag, integer, list, secret, section, text } from '../setting.ts'

/** One price that differs from the tables. USD per million tokens; 0 is not given, and then as the class above it. */
const price = section('A price of your own; it wins over every table.', {
  model: text('', 'The model as Gemini names it; a final * stands for the rest.', {
    needed: true,
    example: 'gemini-3.8-flash',
  }),
  from: text('', 'First day of its validity (YYYY-MM-DD, UTC). Empty: always.', {
    pattern: '^$|^\\d{4}-\\d{2}-\\d{2}$',
    expects: 'a date such as 2026-12-01',
  }),
  tier: choice(['', 'standard', 'batch', 'flex', 'priority'], '', 'Only for this service tier.'),
  input: decimal(0, 0, 100_000, 'USD per million prompt tokens.'),
  cached: decimal(0, 0, 100_000, "USD per million prompt tokens from Gemini's own cache."),
  output: decimal(0, 0, 100_000, 'USD per million output tokens, thoughts included.'),
  inputAudio: decimal(0, 0, 100_000, 'USD per million prompt tokens of audio.'),
  outputAudio: decimal(0, 0, 100_000, 'USD per million output tokens of audio.'),
  above: integer(0, 0, 10_000_000, 'A prompt longer than this moves the whole request to the prices below; 0: none.'),
  inputAbove: decimal(0, 0, 100_000, 'USD per million prompt tokens of a long request.'),
  cachedAbove: decimal(0, 0, 100_000, 'USD per million cached prompt tokens of a long request.'),
  outputAbove: decimal(0, 0, 100_000, 'USD per million output tokens of a long request.'),
})

/** What every call came to. */
export const metering = section('What every call came to: tokens, money, time. No prompt and no answer is ever kept.', {
  enabled: flag(true, 'Keep the books.', { restart: true }),
  defaultPrice: decimal(
    0.001,
    0,
    1000,
    'USD per thousand tokens of a model that no table has a price for; such costs are flagged. 0: their cost stays unknown, which is never the same as free.',
  ),
  prices: list(price, 500, 'Prices that differ from the tables.'),
  zone: text('UTC', 'Time zone of calendar days, budgets and reports.', { restart: true, example: 'Europe/Berlin' }),
  keepEvents: duration('7d', 'How long single bookings are kept; a reprice reaches back as far.', {
    min: '1d',
    max: '3650d',
  }),
  keepHours: duration('35d', 'How long hourly sums are kept.', { min: '1d', max: '3650d' }),
  keepDays: duration('3650d', 'How long daily sums are kept.', { min: '1d', max: '36500d' }),
})

/** One limit on what is asked or spent. */
const budget = section('One limit. Without tenant and tag it holds for everybody together.', {
  name: text('', 'Name for errors, warnings and the dashboard.', {
    needed: true,
    pattern: '^[\\w. -]{1,64}$',
    expects: 'a short name',
  }),
  tenant: text('', "A client's name; * gives every caller a budget of its own.", { example: '*' }),
  tag: text('', 'name=value, or name=* for one budget per value.', {
    pattern: '^$|^[\\w.-]+=.+$',
    expects: 'a tag such as team=sales or team=*',
  }),
  requestsPerMinute: integer(0, 0, 10_000_000, 'Model calls per minute; 0: no limit.'),
  tokensPerMinute: integer(0, 0, 10_000_000_000, 'Tokens per minute; 0: no limit.'),
  usdPerDay: decimal(0, 0, 1_000_000_000, 'Dollars per calendar day; 0: no limit.'),
  usdPerMonth: decimal(0, 0, 1_000_000_000, 'Dollars per calendar month; 0: no limit.'),
  soft: decimal(0.8, 0, 1, 'Share of a money budget from which answers carry a warning and an alert is logged.'),
  atLimit: choice(
    ['refuse', 'degrade'],
    'refuse',
    'At the limit of a money budget: refuse with 429, or go on with a cheaper model.',
  ),
  degradeTo: text('', 'The cheaper model, for degrade.', { example: 'gemini-3.5-flash-lite' }),
})

/** Limits on what is asked and spent. */
export const budgets = list(budget, 1_000, 'Limits on requests, tokens and money: per client, per tag, overall.')

/** Where reports are sent from. */
export const mail = section('The mail server that reports are sent by. Empty host: no mail.', {
  host: text('', 'SMTP server.', { example: 'smtp.example.com' }),
  port: integer(587, 1, 65535, 'The port of the mail server.'),
  secure: flag(false, 'TLS from the first byte (port 465); otherwise STARTTLS where the server offers it.'),
  requireTls: flag(false, 'Send nothing without TLS.'),
  user: text('', 'User name; empty: no login.'),
  password: secret('CASTOR_SMTP_PASSWORD', 'Password of that user.'),
  from: text('', 'Sender address.', { example: 'castor@example.com' }),
  recipients: list(text('', 'An address.', { needed: true }), 50, 'Who gets the scheduled reports.'),
})

const when = {
  pattern:
    '^(?:off|hourly|daily|weekly|monthly|(?:(?:sun|mon|tue|wed|thu|fri|sat) )?\\d{1,2}:\\d{2}|\\d{1,3}[smh]|(?:\\S+ ){4,5}\\S+)$',
  expects: 'off, hourly, daily, weekly, 02:00, mon 02:00, 5m, 2h, or a cron pattern of five fields',
  restart: true,
}

/** What runs by the clock. */
export const schedule = section(
  'What runs by the clock of `metering.zone`, once however many gateways share a store.',
  {
    cacheCleanup: text('hourly', 'Expired and worthless answers are removed.', when),
    ledgerSweep: text('03:30', 'Books past their time are removed.', when),
    dailyReport: text('02:00', 'The report on the day before, to `mail.recipients`.', when),
    weeklyReport: text('mon 02:10', 'The report on the week before.', when),
    catchUp: duration('12h', 'A run missed by at most this long is made up for.', { max: '7d', restart: true }),
  },
)
