import { duration, integer, section, size } from '../setting.ts'

/** What one request, and all of them together, may take. */
export const limits = section(
  'What one request, and all of them together, may take. Beyond it clients get 413, 414, 429 or 503.',
  {
    body: size('100MB', '1KB', '2GB', 'Largest body of a model call; it is held in memory.'),
    upload: size('2GB', '1KB', '1TB', 'Largest body that is streamed through: file uploads and everything else.'),
    bufferedBytes: size('512MB', '1MB', '1TB', 'All bodies held in memory at once.'),
    inFlight: integer(4096, 1, 1_000_000, 'Requests in progress at once.'),
    bodyIdle: duration('60s', 'Longest pause of a client while it sends its body.', { min: '1s', max: '1h' }),
    urlLength: size('16KB', '1KB', '64KB', 'Longest path and query.', { restart: true }),
    jsonDepth: integer(64, 8, 1000, 'Deepest nesting of a JSON body that the gateway reads itself.'),
  },
)
