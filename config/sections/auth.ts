import { choice, list, secret, section, table, text } from '../setting.ts'

/** Whose key pays. */
export const auth = section('Who may use the gateway, and whose Gemini key pays.', {
  mode: choice(
    ['auto', 'passthrough', 'issued', 'shared'],
    'auto',
    'passthrough: clients bring their own Gemini key. issued: clients bring a key made by `castor keys create`, calls go out with an upstream key. shared: no key is asked for, calls go out with `auth.upstreamKey`; refused where other machines can reach the gateway. auto: issued when there are `clients`, otherwise shared when there is an upstream key, otherwise passthrough.',
  ),
  upstreamKey: secret('GEMINI_API_KEY', 'Gemini key of the gateway itself, for issued and shared.', {
    example: `\${file:/run/secrets/gemini-key}`,
  }),
  secret: secret(
    'CASTOR_SECRET',
    'Key of the hashes that stand for tenants. Empty: created once in dataDir (mode 0600). Gateways that share a Redis need the same.',
    { restart: true, example: `\${file:/run/secrets/castor-secret}` },
  ),
})

/** One client with a key issued by the gateway. */
export const client = section('One client.', {
  name: text('', 'Name for logs, reports and budgets.', {
    needed: true,
    pattern: '^[a-z0-9][a-z0-9._-]{0,62}$',
    expects: 'a short name of lower-case letters, digits and . _ -',
    example: 'crm',
  }),
  keyHash: list(
    text('', 'A hash of the key.', {
      needed: true,
      secret: true,
      pattern: '^sha256:[0-9a-f]{64}$',
      expects: "'sha256:' and 64 hexadecimal digits, as `castor keys create NAME` prints them (never the key itself)",
    }),
    5,
    'Hash of the key, never the key; a list while a key is being replaced.',
    1,
  ),
  upstreamKey: secret('', 'Gemini key for this client. Empty: `auth.upstreamKey`.', { example: `\${CRM_GEMINI_KEY}` }),
  tags: table(text('', 'A tag.', { max: 256 }), 20, 'Labels for cost attribution, such as `team: sales`.'),
})

/** The clients the gateway has issued keys to. */
export const clients = list(client, 10_000, 'Clients with a key issued by the gateway (`castor keys create NAME`).')
