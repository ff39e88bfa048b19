import { duration, flag, integer, section } from '../setting.ts'

/** When a failing model is left alone. */
export const breaker = section('When a model of Gemini that keeps failing is left alone for a while.', {
  enabled: flag(
    true,
    'Answer 503 at once while a model is down. 5xx, timeouts and broken connections count; 4xx, quotas and clients that leave do not.',
  ),
  window: duration('30s', 'Failures are counted over this time.', { min: '1s', max: '1h' }),
  minimumCalls: integer(10, 1, 100_000, 'Fewer calls in the window decide nothing.'),
  failureRate: integer(50, 1, 99, 'Percent of failed calls above which it opens.'),
  openFor: duration('5s', 'First wait before a probe; it doubles with each probe that fails, with jitter.', {
    min: '100ms',
    max: '1h',
  }),
  maxOpenFor: duration('2m', 'Longest wait between probes.', { min: '100ms', max: '1d' }),
  probeTimeout: duration(
    '60s',
    'A probe without a first byte after this time has failed; its own client still gets its answer.',
    {
      min: '100ms',
      max: '1h',
    },
  ),
})
