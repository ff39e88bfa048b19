import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import t from 'tap'
import { parse } from 'yaml'
import { leaf } from '../config/defaults.ts'
import { configurationDocs } from '../config/docs.ts'
import { jsonSchema, jsonSchemaText } from '../config/jsonschema.ts'
import { loadConfig } from '../config/load.ts'
import { configSchema, defaultConfig } from '../config/schema.ts'
import { settings } from '../config/settings.ts'

const read = (file: string) => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
const editor = new Ajv({ allowUnionTypes: true }).compile(jsonSchema())

t.test('docs/configuration.md is current', async (t) => {
  t.equal(read('docs/configuration.md'), configurationDocs(), 'run `npm run docs`')
})

t.test('docs/gateway.schema.json is current', async (t) => {
  t.equal(read('docs/gateway.schema.json'), jsonSchemaText(), 'run `npm run docs`')
  t.same(JSON.parse(jsonSchemaText()), JSON.parse(JSON.stringify(jsonSchema())))
})

t.test('every setting is documented, with its meaning, default and variable', async (t) => {
  const rows = configurationDocs()
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  for (const { path, schema } of settings(configSchema, true)) {
    // Top-level lists are sections of their own, described above their table.
    if (path === 'clients' || path === 'budgets') continue
    const row = rows.find((line) => line.startsWith(`| \`${path}\``)) ?? ''
    const { castor, default: fallback, description } = leaf(schema)
    t.ok(description.length > 10 && row.includes(description.replaceAll('|', '\\|')), path)
    t.ok(fallback === undefined || castor?.needed || row.includes(fallback === '' ? 'empty' : `\`${fallback}\``), path)
    t.ok(castor?.env === undefined || row.includes(`\`${castor.env}\``), path)
  }
})

t.test('the examples of the documentation are good settings, to the gateway and to editors', async (t) => {
  const secrets = t.testdir({ 'gemini-key': 'k', 'castor-admin-token': '0123456789abcdef', 'castor-secret': 's' })
  const env = { CASTOR_ADMIN_TOKEN: '0123456789abcdef', REDIS_URL: 'redis://localhost' }
  const examples = [...configurationDocs().matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text ?? '')
  t.equal(examples.length, 4)
  for (const text of examples) {
    t.ok(loadConfig({ text: text.replaceAll('/run/secrets', secrets), env }), text)
    t.ok(editor(parse(text)), JSON.stringify(editor.errors))
  }
})

t.test('the shipped gateway.yaml is the defaults, to the gateway and to editors', async (t) => {
  const text = read('gateway.yaml')
  t.match(text, /^# yaml-language-server: \$schema=\.\/docs\/gateway\.schema\.json\n/)
  t.same(loadConfig({ file: 'gateway.yaml', text, env: {} }), defaultConfig())
  t.ok(editor(parse(text)), JSON.stringify(editor.errors))
})

t.test('the shipped gateway.yaml takes from the environment what the documentation says', async (t) => {
  const env = {
    CASTOR_HOST: '::1',
    CASTOR_PORT: '0',
    CASTOR_UPSTREAM: 'http://127.0.0.1:9',
    CASTOR_VERTEX_UPSTREAM: 'http://127.0.0.1:8',
    CASTOR_DATA_DIR: '/tmp/castor',
    CASTOR_ADMIN_TOKEN: 'a',
    CASTOR_SECRET: 's',
    GEMINI_API_KEY: 'g',
    REDIS_URL: 'redis://r',
  }
  t.match(loadConfig({ text: read('gateway.yaml'), env }), {
    server: { host: '::1', port: 0 },
    upstream: { url: 'http://127.0.0.1:9', vertexUrl: 'http://127.0.0.1:8' },
    dataDir: '/tmp/castor',
    admin: { token: 'a' },
    auth: { secret: 's', upstreamKey: 'g' },
    redis: { url: 'redis://r' },
  })
})

t.test('editors see the same mistakes while typing', async (t) => {
  const wrong = [
    { server: { prot: 1 } },
    { server: { port: 70000 } },
    { server: { drain: 5 } },
    { server: { drain: '5 seconds' } },
    { limits: { body: '20M' } },
    { log: { level: 'loud' } },
    { clients: [{ name: 'a' }] },
    { clients: [{ name: 'a', keyHash: 'x' }] },
    { server: { trustProxy: 7 } },
  ]
  for (const value of wrong) t.notOk(editor(value), JSON.stringify(value))
  const right = [
    { server: null },
    { server: { drain: 0, port: `\${PORT}` } },
    { limits: { body: '1.5GiB' } },
    { server: { trustProxy: ['::1'] } },
  ]
  for (const value of right) t.ok(editor(value), JSON.stringify(value))
})
