import { duration, flag, list, section, text } from '../setting.ts'

/** One chain. */
const chain = section('The first chain whose conditions all hold is the one.', {
  models: list(
    text('', 'A model; * stands for any characters.', { example: 'gemini-*-pro' }),
    100,
    'Only calls of these models.',
  ),
  interactions: list(text('', 'An interaction type.'), 100, 'Only these interaction types (x-castor-interaction).'),
  tags: list(
    text('', 'A tag of the call.', { pattern: '^[^=]+=.*$', expects: 'name=value', example: 'team=sales' }),
    100,
    'Only calls with one of these tags.',
  ),
  steps: list(
    text('', 'The model to ask.', { needed: true, example: 'gemini-2.5-flash-lite' }),
    5,
    'Other models of Gemini, asked one after the other.',
    1,
  ),
  patience: duration('0', 'Longest wait for the first byte of the model asked for; 0: `upstream.firstByteTimeout`.', {
    max: '1d',
  }),
})

/** Who answers when the model that was asked cannot. */
export const fallback = section(
  'Who answers when the model that was asked fails, is left alone, or has no quota, before the first byte of its answer: another model, then an old answer of the cache, then the error of Gemini.',
  {
    enabled: flag(true, 'Use the chains.'),
    timeout: duration('5s', 'Longest wait for the first byte of a step.', { min: '100ms', max: '1h' }),
    chains: list(
      chain,
      100,
      'Chains by model, interaction type and tag. Only `generateContent` and `streamGenerateContent` move, and none that is tied to its model (cached content, thought signatures, continuation tokens).',
    ),
  },
)
