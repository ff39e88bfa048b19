import { choice, flag, integer, section } from '../setting.ts'

/** What is written to the log. */
export const log = section('One JSON line per request on standard output; never a key, a query or a prompt.', {
  level: choice(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    'info',
    'Least important line still written.',
  ),
})

/** What Prometheus can read. */
export const metrics = section('Figures for Prometheus under /metrics.', {
  enabled: flag(true, 'Serve /metrics.', { restart: true }),
  models: integer(
    200,
    1,
    10_000,
    'Most model names with figures of their own; further ones are counted as `other`.',
    {},
  ),
})
