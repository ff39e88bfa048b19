import { duration, flag, section } from '../setting.ts'

/** What a 429 of Gemini leads to. */
export const throttle = section(
  "What a 429 of Gemini leads to: the key's calls to that model wait as long as it says.",
  {
    enabled: flag(
      true,
      'Answer 429 at once, with the time to wait, while Gemini would refuse anyway. A quota of the day counts until midnight Pacific.',
    ),
    maxPause: duration('90s', 'Longest wait for a quota of a minute, whatever Gemini says.', { min: '1s', max: '1h' }),
  },
)
