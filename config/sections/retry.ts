import { duration, integer, section } from '../setting.ts'

/** What is asked again. */
export const retry = section(
  'Calls that are made once more before the client hears of their failure: those that did not reach Gemini, and 500 and 503. Quotas never are.',
  {
    max: integer(1, 0, 2, 'Most retries of one call; 0: none. Many clients retry by themselves, and the two multiply.'),
    budget: integer(20, 0, 100, 'Most retries in all, in percent of the calls.'),
    within: duration(
      '10s',
      'No retry later than this after the request has come; X-Server-Timeout counts when it is shorter.',
      {
        min: '100ms',
        max: '1h',
      },
    ),
  },
)
