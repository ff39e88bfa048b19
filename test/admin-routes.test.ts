import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Fastify, { type InjectOptions } from 'fastify'
import t from 'tap'
import { loadConfig } from '../config/load.ts'
import { defaultConfig } from '../config/schema.ts'
import { registerAdmin } from '../plugins/index.ts'
import { adminDocs } from '../src/admin/docs.ts'
import { adminRoutes } from '../src/admin/routes.ts'
import { buildGateway } from '../src/app.ts'
import { createHouse } from '../src/house.ts'
import { createLogger } from '../src/log.ts'
import castor from '../src/plugin.ts'
import { type Closing, callRaw, gateway, gatewayTo, message, until } from './helper.ts'

const prefix = '/api/ai-engine/optimization'
const token = 'operate-0123456789abcdef'
const readToken = 'look-only-0123456789abcdef'
const guarded = `admin: { token: ${token}, readToken: ${readToken} }`
const operator = { authorization: `Bearer ${token}` }
const reader = { authorization: `Bearer ${readToken}` }
const nowhere = 'http://127.0.0.1:9'

t.test('every route answers with and without its last slash', async (t) => {
  const { app } = await gatewayTo(t, nowhere)
  for (const path of ['/config/', '/config', '/service/health/', '/service/health', '/audit/', '/audit', '/', '']) {
    const answer = await app.inject(prefix + path)
    t.equal(answer.statusCode, 200, path)
  }
})

t.test('the settings are shown without their secrets', async (t) => {
  const { app } = await gatewayTo(t, nowhere, `${guarded}\nauth: { upstreamKey: AIza-canary }`)
  const answer = await app.inject({ url: `${prefix}/config/`, headers: reader })
  t.match(answer.json(), { admin: { token: '(hidden)', readToken: '(hidden)', prefix }, log: { level: 'debug' } })
  t.notMatch(answer.body, /canary|0123456789abcdef/)
})

t.test('health tells of the process, its load, and Gemini as the traffic sees it', async (t) => {
  const { app, url } = await gateway(t)
  const ask = (model: string) =>
    fetch(`${url}/v1beta/models/${model}:generateContent`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-goog-api-key': 'k' },
      body: '{"contents":[{"parts":[{"text":"hi"}]}]}',
    }).then((answer) => answer.text())
  await ask('gemini-2.5-flash')
  await ask('no-such-model')
  // A call is noted when the gateway has read the answer, which may be after the client has.
  await until(() => app.castor.desk.traffic.recent().length === 2)
  const health = (await app.inject(`${prefix}/service/health/`)).json()
  t.match(health, {
    status: 'ok',
    version: /^\d+\.\d+\.\d+/,
    startedAt: /^\d{4}-.*Z$/,
    uptimeSeconds: Number,
    load: { inFlight: 0, heldBodyBytes: 0, liveSessions: 0 },
    process: { memory: { rssBytes: Number }, eventLoopDelay: { p99Ms: Number, seconds: Number } },
    upstream: { lastSuccessAt: /Z$/, models: [{ model: 'gemini-2.5-flash', lastFailureAt: null, failuresInRow: 0 }] },
  })
  t.equal(health.upstream.models.length, 1, 'a model that Gemini does not know says nothing of its health')
})

t.test('a model that cannot be reached is seen to fail', async (t) => {
  const { app, url } = await gatewayTo(t, nowhere)
  const answer = await fetch(`${url}/v1beta/models/gemini-2.5-pro:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': 'k' },
    body: '{}',
  })
  await answer.text()
  await until(() => app.castor.desk.traffic.recent().length === 1)
  t.match((await app.inject(`${prefix}/service/health/`)).json().upstream, {
    lastSuccessAt: null,
    models: [{ model: 'gemini-2.5-pro', lastFailure: 'CASTOR_UPSTREAM_UNREACHABLE', failuresInRow: 1 }],
  })
})

t.test('a part of the house that fails or hangs is down, and the others are told all the same', async (t) => {
  const { app } = await gatewayTo(t, nowhere)
  const { parts } = app.castor.desk
  parts.set('store', () => ({ status: 'ok', entries: 3 }))
  t.match((await app.inject(`${prefix}/service/health/`)).json(), { status: 'ok', parts: { store: { entries: 3 } } })
  parts.set('broken', () => {
    throw new Error('redis://:secret@host')
  })
  const answer = await app.inject(`${prefix}/service/health/`)
  t.match(answer.json(), { status: 'degraded', parts: { store: { status: 'ok' }, broken: { status: 'down' } } })
  t.notMatch(answer.body, /secret/)
})

t.test('a reload says what changed and what needs a restart; a bad file changes nothing', async (t) => {
  const dir = t.testdir({})
  const file = join(dir, 'gateway.yaml')
  const write = (text: string) => writeFileSync(file, `dataDir: ${dir}\n${text}`)
  write('limits: { inFlight: 5 }')
  const source = { file, env: {} }
  const log: string[] = []
  const logger = createLogger('info', { write: (line) => void log.push(line) })
  const app = await buildGateway(loadConfig(source), { source, logger })
  t.teardown(() => app.close())
  const reload = () => app.inject({ method: 'POST', url: `${prefix}/config/reload/` })

  write('limits: { inFlight: 6 }\nserver: { port: 9000 }\nlog: { level: error }')
  const good = await reload()
  t.same(good.json(), { changed: ['limits.inFlight', 'log.level'], needsRestart: ['server.port'] })
  t.equal(app.castor.settings.current.limits.inFlight, 6)
  t.equal(app.log.level, 'error')

  write('limits: { inFlight: many }\nlog: { levl: info }')
  const bad = await reload()
  t.equal(bad.statusCode, 400)
  const { error } = bad.json()
  t.match(error, { status: 'FAILED_PRECONDITION', message: /2 problems/ })
  t.match(error.details, [
    { reason: 'CASTOR_BAD_SETTINGS' },
    {
      fieldViolations: [
        { field: 'limits.inFlight', description: /:2:\d+ .*not a whole number/ },
        { field: 'log.levl' },
      ],
    },
  ])
  t.equal(app.castor.settings.current.limits.inFlight, 6)
})

t.test('settings that did not come from a file cannot be read again', async (t) => {
  const { app } = await gatewayTo(t, nowhere)
  const answer = await app.inject({ method: 'POST', url: `${prefix}/config/reload/` })
  t.match(answer.json(), { error: { code: 400, message: /nothing to read again/ } })
})

t.test('a new token counts from the reload on, and the old one no more', async (t) => {
  const { app } = await gatewayTo(t, nowhere, guarded)
  const { settings } = app.castor
  settings.replace({ ...settings.current, admin: { ...settings.current.admin, token: `${token}-new` } })
  const status = async (headers: Record<string, string>) =>
    (await app.inject({ url: `${prefix}/config/`, headers })).statusCode
  t.equal(await status(operator), 401)
  t.equal(await status({ authorization: `Bearer ${token}-new` }), 200)
})

t.test('who is nobody gets 401, who may not gets 403, in the shape of Gemini’s errors', async (t) => {
  const { app } = await gatewayTo(t, nowhere, guarded)
  const none = await app.inject(`${prefix}/config/`)
  t.equal(none.statusCode, 401)
  t.match(none.headers, { 'www-authenticate': 'Bearer realm="castor"', 'content-type': /json/ })
  t.match(none.json(), {
    error: { code: 401, status: 'UNAUTHENTICATED', details: [{ reason: 'CASTOR_ADMIN_UNAUTHORIZED' }] },
  })
  const wrong = await app.inject({ url: `${prefix}/config/`, headers: { authorization: 'Bearer nonsense' } })
  t.match(wrong.json(), { error: { code: 401, message: /not right/ } })
  const read = await app.inject({ method: 'POST', url: `${prefix}/config/reload/`, headers: reader })
  t.match(read.json(), {
    error: { code: 403, status: 'PERMISSION_DENIED', details: [{ reason: 'CASTOR_ADMIN_FORBIDDEN' }] },
  })
})

t.test('guessing ends in 429 with the time to wait', async (t) => {
  const { app } = await gatewayTo(t, nowhere, guarded)
  const guess = () => app.inject({ url: `${prefix}/config/`, headers: { authorization: 'Bearer nonsense' } })
  for (let count = 0; count < 10; count++) t.equal((await guess()).statusCode, 401)
  const answer = await guess()
  t.equal(answer.statusCode, 429)
  t.match(answer.headers['retry-after'], /^[1-6]$/)
  t.match(answer.json(), { error: { status: 'RESOURCE_EXHAUSTED', details: [{}, { retryDelay: /s$/ }] } })
})

t.test(
  'every endpoint of the prefix asks for a credential, but signing in and the files without secrets',
  async (t) => {
    const { app } = await gatewayTo(t, nowhere, guarded)
    for (const { method, path } of adminRoutes) {
      for (const url of [path, path.slice(0, -1)]) {
        const answer = await app.inject({ method, url: `${prefix}${url.replace(/:\w+/g, 'x')}` })
        t.equal(answer.statusCode, 401, `${method} ${url}`)
      }
    }
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
      t.equal((await app.inject({ method, url: `${prefix}/no/such` })).statusCode, 401, `${method} of nothing`)
    }
    // As Fastify knows them, so that a route added beside the table cannot be forgotten here.
    const open = new Set<string>()
    for (const url of await registered(t)) {
      const answer = await app.inject({ url: url.replace(/:\w+/g, 'x') })
      if (answer.statusCode !== 401 && answer.statusCode !== 405) open.add(url.replace(/-[0-9a-f]{16}/, ''))
    }
    t.same([...open].sort(), [
      `${prefix}/assets/chartScript.js`,
      `${prefix}/assets/chartStyles.css`,
      `${prefix}/assets/script.js`,
      `${prefix}/assets/styles.css`,
    ])
  },
)

t.test('no path below the prefix ever goes to Gemini', async (t) => {
  const { app, emulator } = await gateway(t)
  const headers = { 'x-goog-api-key': 'k' }
  for (const [method, path, status] of [
    ['GET', '/nothing/', 404],
    ['POST', '/nothing', 404],
    ['DELETE', '/', 405],
    ['PUT', '', 405],
    ['PATCH', '/config/', 405],
    ['OPTIONS', '/config', 405],
    ['GET', '/config/reload/', 405],
  ] as const) {
    const answer = await app.inject({ method, url: prefix + path, headers })
    t.equal(answer.statusCode, status, `${method} ${path}`)
    if (status === 405) t.match(answer.headers.allow, /GET|POST/)
  }
  t.same(emulator.calls, [])
})

t.test('a near miss is told what was meant', async (t) => {
  const { app } = await gatewayTo(t, nowhere)
  const told = async (options: InjectOptions) => (await app.inject(options)).json().error.message as string
  t.match(await told({ url: `${prefix}/service/helth/` }), /Did you mean \/service\/health\/\?/)
  t.match(await told({ url: `${prefix}/audit/?limt=3` }), /Did you mean limit\?/)
  t.match(await told({ method: 'POST', url: `${prefix}/config/` }), /takes GET, not POST/)
})

t.test('every answer carries the strict headers, errors too', async (t) => {
  const { app } = await gatewayTo(t, nowhere, guarded)
  for (const options of [
    { url: `${prefix}/config/`, headers: operator },
    { url: `${prefix}/config/` },
    { url: `${prefix}/nothing/`, headers: operator },
    { url: prefix, headers: { ...operator, accept: 'text/html' } },
    { url: prefix, headers: { accept: 'text/html' } },
    { url: '/openapi.json' },
  ]) {
    const { headers } = await app.inject(options)
    t.match(headers, {
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': /^(?:no-referrer|same-origin)$/,
      'cache-control': 'no-store',
    })
    t.notOk('access-control-allow-origin' in headers)
  }
})

t.test('what changes something is written down, with who and what came of it, and never a token', async (t) => {
  const { app, log } = await gatewayTo(t, nowhere, guarded)
  const reload = (headers: Record<string, string>) =>
    app.inject({ method: 'POST', url: `${prefix}/config/reload/`, headers })
  await reload(operator)
  await reload(reader)
  await reload({})
  await app.inject({ url: `${prefix}/config/`, headers: { authorization: 'Bearer guess-canary' } })
  await app.inject({ url: `${prefix}/config/`, headers: operator })
  const { entries } = (await app.inject({ url: `${prefix}/audit/`, headers: reader })).json()
  t.match(entries, [
    { by: 'nobody', method: 'GET', outcome: 'refused', reason: 'CASTOR_ADMIN_UNAUTHORIZED', from: '127.0.0.1' },
    { by: 'read token', status: 403, outcome: 'refused', reason: 'CASTOR_ADMIN_FORBIDDEN' },
    {
      by: 'token',
      route: `${prefix}/config/reload/`,
      status: 400,
      reason: 'CASTOR_BAD_SETTINGS',
      at: /Z$/,
      id: String,
    },
  ])
  t.equal(entries.length, 3, 'looking is not written down, and strangers are in the log alone')
  t.equal((await app.inject({ url: `${prefix}/audit/?limit=1`, headers: reader })).json().entries.length, 1)
  t.equal(log.filter(({ audit }) => audit !== undefined).length, 4)
  t.notMatch(JSON.stringify([entries, log]), /canary|0123456789abcdef/)
})

t.test('a body larger than a route takes is refused, announced or not', async (t) => {
  const { url } = await gatewayTo(t, nowhere)
  const big = 'x'.repeat(1_000_001)
  const announced = await fetch(`${url}${prefix}/config/reload/`, { method: 'POST', body: big })
  t.equal(announced.status, 413)
  const chunked = callRaw(
    url,
    message(`POST ${prefix}/config/reload/ HTTP/1.1`, [
      ['Host', new URL(url).host],
      ['Transfer-Encoding', 'chunked'],
    ]),
  )
  chunked.write(`${(big.length).toString(16)}\r\n${big}\r\n0\r\n\r\n`)
  t.equal((await chunked.response).status, 413)
})

t.test('no body is held longer than its call', async (t) => {
  const { app, url } = await gatewayTo(t, nowhere)
  const { load } = app.castor
  const answer = await fetch(`${url}${prefix}/config/reload/`, { method: 'POST', body: 'x'.repeat(100_000) })
  t.match(await answer.json(), { error: { message: 'This route takes no body.' } })
  await until(() => load.heldBodyBytes === 0)
  const left = callRaw(
    url,
    message(`POST ${prefix}/config/reload/ HTTP/1.1`, [
      ['Host', new URL(url).host],
      ['Content-Length', '1000'],
    ]),
  )
  left.write('x'.repeat(500))
  await until(() => load.heldBodyBytes === 500)
  left.leave()
  await until(() => load.heldBodyBytes === 0)
})

t.test('the admin API is described for programs, from the routes there are', async (t) => {
  const { app } = await gatewayTo(t, nowhere, guarded)
  const document = (await app.inject('/openapi.json')).json()
  t.match(document, { openapi: '3.1.0', info: { title: String, version: String } })
  const described = Object.entries<object>(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  )
  t.same(
    described.sort(),
    adminRoutes.map(({ method, path }) => `${method} ${prefix}${path.replaceAll(/:(\w+)/g, '{$1}')}`).sort(),
  )
  const ids = Object.values<object>(document.paths).flatMap((operations) =>
    Object.values(operations).map(({ operationId }) => operationId as string),
  )
  t.equal(new Set(ids).size, ids.length)
  for (const [, pointer] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
    const target = pointer!.split('/').reduce((at: unknown, step) => (at as Record<string, unknown>)?.[step], document)
    t.ok(target, String(pointer))
  }
})

t.test('docs/admin.md is current', async (t) => {
  const written = readFileSync(new URL('../docs/admin.md', import.meta.url), 'utf8')
  t.equal(written, adminDocs(adminRoutes), 'run `npm run docs`')
})

t.test('under another prefix and base path everything moves along', async (t) => {
  const { app, url } = await gatewayTo(t, nowhere, 'admin: { prefix: /ops }\nserver: { basePath: /gemini }')
  t.equal((await fetch(`${url}/ops/config/`)).status, 200)
  const { paths } = (await app.inject('/openapi.json')).json()
  t.ok('/gemini/ops/config/' in paths)
})

t.test('inside another application it stands under that one’s prefix, and leaves the rest alone', async (t) => {
  const host = Fastify()
  t.teardown(() => host.close())
  host.get('/other', async () => 'theirs')
  await host.register(castor, {
    prefix: '/gemini',
    dataDir: t.testdir(),
    auth: { secret: 's' },
    upstream: { url: nowhere },
  })
  const status = async (options: InjectOptions) => (await host.inject(options)).statusCode
  t.equal(await status({ url: `/gemini${prefix}/config/` }), 200)
  t.equal(await status({ url: `/gemini${prefix}/` }), 200)
  t.equal(await status({ method: 'POST', url: `/gemini${prefix}/config/` }), 405)
  t.equal(await status({ url: `/gemini${prefix}/nothing` }), 404)
  const other = await host.inject('/other')
  t.equal(other.body, 'theirs')
  t.notOk('content-security-policy' in other.headers)
  const { paths } = (await host.inject('/gemini/openapi.json')).json()
  t.ok(`/gemini${prefix}/config/` in paths)
})

/** Every URL below the prefix that has a GET route. */
async function registered(t: Closing): Promise<string[]> {
  const urls: string[] = []
  const app = Fastify()
  t.teardown(() => app.close())
  app.decorate('castor', createHouse({ ...defaultConfig(), auth: { ...defaultConfig().auth, secret: 's' } }, ''))
  app.addHook('onRoute', ({ method, url }) => {
    if ([method].flat().includes('GET') && url.startsWith(prefix)) urls.push(url)
  })
  await registerAdmin(app)
  return urls
}
