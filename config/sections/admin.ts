import { address, duration, secret, section, text } from '../setting.ts'

/** The operator's API and dashboard. */
export const admin = section('The API and dashboard for operators.', {
  prefix: address('prefix', '/api/ai-engine/optimization', 'Path of the admin API and the dashboard.', {
    restart: true,
    filled: true,
  }),
  listen: text(
    '',
    'Address and port of their own for the admin API, the dashboard and /metrics, which then answer nowhere else. Empty: beside the Gemini API.',
    {
      restart: true,
      pattern: '^$|^(?:\\[[0-9A-Fa-f:.]+\\]|[^\\s/:\\[\\]]+):\\d{1,5}$',
      expects: 'an address and a port such as 127.0.0.1:9090 or [::1]:9090',
      example: '127.0.0.1:9090',
    },
  ),
  token: secret(
    'CASTOR_ADMIN_TOKEN',
    'Bearer token for the whole admin API. May be empty only while it is reached through loopback; then callers on this machine need none.',
    { example: `\${file:/run/secrets/castor-admin-token}` },
  ),
  readToken: secret('CASTOR_ADMIN_READ_TOKEN', 'A second token that may look at everything and change nothing.', {
    example: `\${file:/run/secrets/castor-read-token}`,
  }),
  session: duration('12h', 'How long a browser stays signed in to the dashboard.', { min: '1m', max: '24d' }),
})
