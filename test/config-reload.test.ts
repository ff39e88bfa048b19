import t from 'tap'
import { loadConfig } from '../config/load.ts'
import { reloadConfig } from '../config/reload.ts'
import { defaultConfig } from '../config/schema.ts'

const source = (text: string) => ({ file: 'gateway.yaml', text, env: {} })

t.test('an unchanged file changes nothing', async (t) => {
  t.same(reloadConfig(defaultConfig(), source('')), { config: defaultConfig(), changed: [], needsRestart: [] })
})

t.test('changes are named and in the new settings', async (t) => {
  const text = `limits: { inFlight: 7 }\nupstream: { url: "http://x" }\nauth: { upstreamKey: k }
clients: [{ name: a, keyHash: "sha256:${'a'.repeat(64)}" }]`
  const { config, changed, needsRestart } = reloadConfig(defaultConfig(), source(text))
  t.same(changed, ['upstream.url', 'auth.upstreamKey', 'clients', 'limits.inFlight'])
  t.same(needsRestart, [])
  t.equal(config.limits.inFlight, 7)
  t.equal(config.clients.length, 1)
})

t.test('what needs a restart keeps its value and is named', async (t) => {
  const text = 'server: { port: 9000, drain: 7s, trustProxy: true }\ndataDir: /elsewhere\nredis: { url: "redis://x" }'
  const { config, changed, needsRestart } = reloadConfig(defaultConfig(), source(text))
  t.same(needsRestart, ['server.port', 'server.trustProxy', 'dataDir', 'redis.url'])
  t.same(changed, ['server.drain'])
  t.match(config, { server: { port: 8080, drain: 7000, trustProxy: false }, dataDir: './data', redis: { url: '' } })
})

t.test('a bad file throws and leaves the settings in force untouched', async (t) => {
  const current = defaultConfig()
  t.throws(() => reloadConfig(current, source('server: { drain: 5 }')), { name: 'ConfigError', message: /no unit/ })
  t.same(current, defaultConfig())
})

t.test('a file that is safe only after a restart is refused', async (t) => {
  const open = loadConfig(source('server: { host: 0.0.0.0 }\nadmin: { token: 0123456789abcdef }'))
  t.throws(() => reloadConfig(open, source('server: { host: 127.0.0.1 }')), {
    name: 'ConfigError',
    message: /no token \(server\.host changes only with a restart\)/,
  })
})
