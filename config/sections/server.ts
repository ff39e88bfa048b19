import { Type } from 'typebox'
import { address, duration, file, flag, integer, list, section, text } from '../setting.ts'

const restart = true

/** Where the gateway listens and how long it waits for its clients. */
export const server = section('Where the gateway listens, and how patient it is with its clients.', {
  host: text('127.0.0.1', 'Address to listen on. 0.0.0.0 or :: means every address of the machine.', {
    env: 'CASTOR_HOST',
    restart,
    pattern: '^[^\\s/]+$',
    expects: 'an address or host name without http:// and without port',
    example: '0.0.0.0',
  }),
  port: integer(8080, 0, 65535, 'Port to listen on; 0 takes any free one.', { env: 'CASTOR_PORT', restart }),
  publicUrl: address(
    'httpUrl',
    '',
    'How clients reach the gateway when a proxy in front changes host, scheme or path. Upload addresses that Gemini hands out are rewritten to it. Empty: taken from the request.',
    { example: 'https://ai.example.com/gemini' },
  ),
  basePath: address(
    'prefix',
    '',
    'Prefix under which the gateway itself is mounted; it is taken off every path. Leave empty when the proxy in front strips it already.',
    { restart, example: '/gemini' },
  ),
  trustProxy: Type.Union(
    [flag(false, ''), list(address('address', '', '', { needed: true }), 100, 'Addresses or ranges of the proxies.')],
    {
      description:
        'Whose X-Forwarded-* headers are believed: false for nobody, true for everybody (only behind a proxy that sets them itself), or the addresses of your proxies.',
      default: false,
      castor: {
        kind: 'address',
        restart,
        expects: 'true, false, or a list of addresses and ranges such as [10.0.0.0/8, loopback]',
        example: '[10.0.0.0/8]',
      },
    },
  ),
  tls: section('Serve HTTPS directly. Both files are needed; empty means plain HTTP.', {
    cert: file('', 'PEM file with the certificate and its chain.', { restart, example: '/etc/castor/tls.crt' }),
    key: file('', 'PEM file with the private key.', { restart, example: '/etc/castor/tls.key' }),
  }),
  keepAlive: duration(
    '310s',
    'How long an idle client connection stays open. Longer than the idle timeout of the proxy in front, or it meets closed connections.',
    { restart, min: '1s', max: '1h' },
  ),
  headersTimeout: duration('60s', 'Longest wait for the complete headers of a request.', {
    restart,
    min: '1s',
    max: '1h',
  }),
  requestTimeout: duration('1h', 'Longest time for a whole request, uploads included, to arrive.', {
    restart,
    min: '1s',
    max: '7d',
  }),
  drain: duration('30s', 'At SIGTERM: longest wait for answers that are still being streamed.', { max: '1h' }),
  propagation: duration(
    '0s',
    'At SIGTERM: time between /readyz turning 503 and new connections being refused, so that a load balancer notices first.',
    { max: '5m' },
  ),
})
