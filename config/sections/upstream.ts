import { address, duration, file, integer, section } from '../setting.ts'

// The connection pool is opened once, at the start.
const restart = true

/** The way to Gemini. */
export const upstream = section('The way to Gemini.', {
  url: address(
    'httpUrl',
    'https://generativelanguage.googleapis.com',
    'Base URL of the Gemini API. A path in it is put before the path of every request.',
    { env: 'CASTOR_UPSTREAM', filled: true },
  ),
  vertexUrl: address(
    'httpUrl',
    '',
    'Base URL for Vertex AI paths. Empty: derived from the location in the path when `upstream.url` is Google, otherwise the same as `upstream.url`.',
    { env: 'CASTOR_VERTEX_UPSTREAM', example: 'https://europe-west4-aiplatform.googleapis.com' },
  ),
  connections: integer(1024, 1, 65535, 'Most connections to one upstream host.', { restart }),
  connectTimeout: duration('5s', 'Longest wait for a connection, TLS included.', { restart, min: '100ms', max: '5m' }),
  firstByteTimeout: duration(
    '30m',
    'Longest wait for the first byte of an answer. Thinking models can be silent for many minutes.',
    { restart, min: '1s', max: '1d' },
  ),
  idleTimeout: duration('15m', 'Longest silence within an answer that has begun.', { restart, min: '1s', max: '1d' }),
  caFile: file('', 'PEM file with certificate authorities to trust besides the built-in ones.', {
    restart,
    example: '/etc/castor/company-ca.pem',
  }),
})
