import { choice, duration, flag, integer, list, section, size, text } from '../setting.ts'

/** What an answer may rest on besides the model; the words of `with` in a rule. */
const features = [
  'functions',
  'search',
  'maps',
  'urlContext',
  'fileSearch',
  'codeExecution',
  'otherTool',
  'file',
  'externalFile',
  'cachedContent',
] as const

const operations = [
  'generateContent',
  'streamGenerateContent',
  'embedContent',
  'batchEmbedContents',
  'countTokens',
  'chat.completions',
  'embeddings',
] as const

/** One rule of `cache.policy`. */
const rule = section('The first rule whose conditions all hold decides.', {
  models: list(
    text('', 'A model; * stands for any characters.', { example: 'gemini-*-flash' }),
    100,
    'Only these models.',
  ),
  operations: list(choice(operations, operations[0], 'An operation.'), operations.length, 'Only these operations.'),
  interactions: list(text('', 'An interaction type.'), 100, 'Only these interaction types (x-castor-interaction).'),
  with: list(choice(features, features[0], 'A feature.'), features.length, 'Only requests that use one of these.'),
  temperature: choice(
    ['any', 'zero', 'aboveZero'],
    'any',
    "Only this temperature; one that is not sent is Gemini's default of 1.",
  ),
  cache: flag(true, 'false: neither looked up nor stored.'),
  ttl: duration('0', 'How long an answer is fresh; 0 takes `cache.ttl`.', { max: '365d' }),
  maxTokensAnswers: flag(false, "Keep answers that the request's own limit has cut off (MAX_TOKENS)."),
  functionCallAnswers: flag(false, 'Keep answers that ask the client to call a function.'),
  convert: flag(true, 'Let a unary answer serve a stream and the reverse, in the right framing.'),
})

/** What is answered from memory. */
export const cache = section('Equal questions are answered from memory.', {
  mode: choice(
    ['on', 'shadow', 'off'],
    'on',
    'shadow: looks up and compares, never serves, and reports what would have been saved.',
  ),
  ttl: duration('1h', 'How long an answer is fresh.', { min: '1s', max: '365d' }),
  maxEntries: integer(10_000, 1, 10_000_000, 'Answers held in memory.'),
  maxBytes: size('256MB', '1MB', '1TB', 'Bytes of answers held in memory.'),
  tenantMaxEntries: integer(0, 0, 10_000_000, 'Answers held in memory for any one caller; 0: as many as there are.', {
    restart: true,
  }),
  tenantMaxBytes: size(
    '0',
    '0',
    '1TB',
    'Bytes of answers held in memory for any one caller; 0: as many as there are.',
    {
      restart: true,
    },
  ),
  maxEntryBytes: size('4MB', '1KB', '1GB', 'Largest answer that is kept.'),
  scope: choice(
    ['key', 'client', 'tags', 'shared'],
    'key',
    'Who shares answers: nobody (each key its own), the keys of one client, callers with the same tags, or everybody. shared tells every caller what others have asked.',
  ),
  contextAware: flag(true, 'x-castor-context is a part of the question.'),
  keyTrust: duration(
    '1h',
    'A caller with its own Gemini key is answered from memory only when Gemini has accepted that key within this time.',
    { min: '1m', max: '24d' },
  ),
  referenceTtl: duration(
    '10m',
    'Longest life of an answer to a request that names a file, a cached content or a URL: those change or expire unseen.',
    { min: '1s', max: '48h' },
  ),
  staleIfError: duration('24h', 'How long an answer that is no longer fresh may stand in when Gemini fails.', {
    max: '365d',
  }),
  staleWhileRevalidate: duration(
    '0',
    'How long an answer that is no longer fresh may still be served while Gemini is asked anew.',
    {
      max: '365d',
    },
  ),
  replay: choice(
    ['instant', 'paced'],
    'instant',
    'How a remembered stream is played: at once, or with the pauses it had.',
  ),
  coalesce: flag(true, 'Equal questions in flight share one call to Gemini.'),
  coalesceBuffer: size(
    '1MB',
    '16KB',
    '100MB',
    'Bytes of an answer in flight that are kept for those who join late; a longer one is joined by nobody any more. Also how far a slow client may fall behind.',
    { restart: true },
  ),
  hideStatus: flag(
    false,
    'Leave Cache-Status and Age off the answers (they tell what was asked before, where answers are shared).',
  ),
  store: choice(
    ['auto', 'memory', 'sqlite', 'redis'],
    'auto',
    'What outlives a restart: a file in dataDir, or Redis. auto: Redis when redis.url is set, otherwise the file.',
    { restart: true },
  ),
  storeMaxEntries: integer(1_000_000, 1, 100_000_000, 'Answers kept in the file.', { restart: true }),
  storeMaxBytes: size('4GB', '1MB', '10TB', 'Bytes of answers kept in the file.', { restart: true }),
  storeDeadline: duration('100ms', 'Longest wait for the store; later is a miss.', {
    min: '5ms',
    max: '5s',
    restart: true,
  }),
  policy: list(
    rule,
    100,
    'What may be remembered. Empty: everything but answers that rest on the live web, on documents or on executed code; embeddings and token counts for a day.',
  ),
})
