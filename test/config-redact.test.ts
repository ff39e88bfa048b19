import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { ConfigError, loadConfig } from '../config/load.ts'
import { redactConfig } from '../config/redact.ts'

const canary = 'canary-7f3a'

t.test('settings are shown as they would be written, without the secrets', async (t) => {
  const text = `
auth: { upstreamKey: ${canary}-1, secret: ${canary}-2 }
admin: { token: ${canary}-3 }
redis: { url: "rediss://user:${canary}@redis.example:6380/2?password=${canary}" }
server: { drain: 90s }
limits: { body: 20MB }
clients:
  - { name: crm, keyHash: "sha256:${'a'.repeat(64)}", upstreamKey: ${canary}-4, tags: { team: sales } }
  - { name: web, keyHash: "sha256:${'b'.repeat(64)}" }
`
  const shown = redactConfig(loadConfig({ text, env: {} }))
  t.match(shown, {
    auth: { mode: 'auto', upstreamKey: '(hidden)', secret: '(hidden)' },
    admin: { token: '(hidden)' },
    redis: { url: 'rediss://user:***@redis.example:6380/2?password=***' },
    server: { drain: '1m30s', port: 8080, trustProxy: false },
    limits: { body: '20MB' },
    clients: [
      { name: 'crm', keyHash: ['(hidden)'], upstreamKey: '(hidden)', tags: { team: 'sales' } },
      { name: 'web', keyHash: ['(hidden)'], upstreamKey: '' },
    ],
  })
  t.notMatch(JSON.stringify(shown), new RegExp(`${canary}|a{64}`))
})

t.test('a secret that is not set is shown as not set', async (t) => {
  t.match(redactConfig(loadConfig({ env: {} })), {
    auth: { upstreamKey: '' },
    admin: { token: '' },
    redis: { url: '' },
  })
})

t.test('no error quotes a secret, whatever is wrong with it or around it', async (t) => {
  const dir = t.testdir({ secret: `${canary}\n` })
  const texts = [
    `auth: { upstreamKey: [${canary}] }`,
    `auth: { secret: "${canary.repeat(1000)}" }`,
    `auth: { mode: "\${KEY}" }`,
    `server: { port: "\${KEY}", drain: "\${KEY}", publicUrl: "\${KEY}", trustProxy: "\${KEY}" }`,
    `server: { trustProxy: ["\${KEY}"], host: "a b\${KEY}" }`,
    `log: { level: "\${file:${join(dir, 'secret')}}" }`,
    `upstream: { url: "https://user:${canary}@x.example" }`,
    `upstream: { url: "https://x.example/?key=${canary}" }`,
    `redis: { url: "redis//:${canary}@x" }`,
    `clients: [{ name: a, keyHash: ${canary} }]`,
    `clients: [{ name: a, keyHash: [${canary}, ${canary}] }]`,
    `clients: [{ name: "\${KEY}", keyHash: x }]`,
    `admin: { token: ${canary}: x }`,
    `admin: { token: !x ${canary} }`,
    `admin:\n  token: "${canary}`,
    `admin:\n  token: *${canary.slice(0, 3)}\n  tokne: ${canary}`,
    `server: { host: 0.0.0.0 }\nauth: { mode: shared, upstreamKey: ${canary} }\nadmin: { token: ${canary} }`,
    `admin: { prefix: "\${NONE:-\${KEY}}" }`,
  ]
  for (const text of texts) {
    const caught = t.throws(() => loadConfig({ text, env: { KEY: `${canary} ?`, CASTOR_PORT: canary } }), {
      name: 'ConfigError',
    })
    t.ok(caught instanceof ConfigError && !`${caught.message}${JSON.stringify(caught.problems)}`.includes(canary), text)
  }
})

t.test('a quoted value cannot forge lines or colours of the terminal', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (value) => {
        try {
          loadConfig({
            text: `metrics: { enabled: ${JSON.stringify(`x${value}`)}, ${JSON.stringify(`k${value}`)}: 1 }`,
            env: {},
          })
        } catch (error) {
          const lines =
            error instanceof ConfigError ? error.problems.map(({ path, message, fix }) => path + message + fix) : []
          return lines.length > 0 && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(lines.join(''))
        }
        return false
      }),
    ),
  )
})
