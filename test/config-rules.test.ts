import t from 'tap'
import { ConfigError, loadConfig, type Problem } from '../config/load.ts'
import { isLoopback } from '../config/loopback.ts'
import { resolveAuthMode } from '../config/mode.ts'

const load = (text: string, env: Record<string, string> = {}) => loadConfig({ file: 'gateway.yaml', text, env })

function problems(text: string, env: Record<string, string> = {}): Problem[] {
  try {
    load(text, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  throw new Error(`accepted: ${text}`)
}

const hash = (digit: string) => `'sha256:${digit.repeat(64)}'`
const client = (name: string, digit: string) => `  - name: ${name}\n    keyHash: ${hash(digit)}\n`
const token = 'admin: { token: 0123456789abcdef-long }\n'

t.test('auto means issued with clients, shared with an upstream key, otherwise passthrough', async (t) => {
  t.equal(resolveAuthMode(load('')), 'passthrough')
  t.equal(resolveAuthMode(load('', { GEMINI_API_KEY: 'k' })), 'shared')
  t.equal(resolveAuthMode(load(`clients:\n${client('a', '1')}`, { GEMINI_API_KEY: 'k' })), 'issued')
  t.equal(resolveAuthMode(load('auth: { mode: passthrough }', { GEMINI_API_KEY: 'k' })), 'passthrough')
})

t.test('clients have names and keys of their own', async (t) => {
  const text = `auth: { upstreamKey: k }\nclients:\n${client('a', '1')}${client('b', '2')}${client('a', '1')}`
  t.match(problems(text), [
    { line: 7, path: 'clients[2].name', message: /also the name of clients\[0\]/ },
    { line: 8, path: 'clients[2].keyHash[0]', message: /same key as clients\[0\]\.keyHash\[0\]/ },
  ])
})

t.test('an issued client needs some Gemini key', async (t) => {
  t.match(problems(`clients:\n${client('a', '1')}`), [
    { line: 2, path: 'clients[0].upstreamKey', fix: /GEMINI_API_KEY/ },
  ])
  t.equal(load(`clients:\n${client('a', '1')}    upstreamKey: k\n`).clients[0]?.upstreamKey, 'k')
})

t.test('a mode that cannot work as it is set is refused', async (t) => {
  const clients = `clients:\n${client('a', '1')}`
  t.match(problems('auth: { mode: issued }'), [{ line: 1, path: 'auth.mode', message: /at least one client/ }])
  t.match(problems('auth: { mode: shared }'), [{ path: 'auth.mode', message: /needs an upstream key/ }])
  t.match(problems(`auth: { mode: passthrough }\n${clients}`), [{ path: 'auth.mode', message: /sent on to Gemini/ }])
  t.match(problems(`auth: { mode: shared, upstreamKey: k }\n${clients}`), [
    { path: 'auth.mode', message: /without a key/ },
  ])
})

t.test('nobody can spend on the gateway’s key from another machine', async (t) => {
  const host = `${token}server:\n  host: 0.0.0.0\n`
  const expected = {
    line: 3,
    column: 9,
    path: 'server.host',
    message: /would spend on your key/,
    fix: /castor keys create NAME.*passthrough/,
  }
  t.match(problems(host, { GEMINI_API_KEY: 'k' }), [expected])
  t.match(problems(`${host}auth: { mode: shared, upstreamKey: k }`), [expected])
  t.match(problems(token, { GEMINI_API_KEY: 'k', CASTOR_HOST: '::' }), [{ line: 0, message: /set by CASTOR_HOST/ }])
  t.equal(load(`${host}auth: { mode: passthrough }`, { GEMINI_API_KEY: 'k' }).server.host, '0.0.0.0')
  t.equal(load(`${host}clients:\n${client('a', '1')}`, { GEMINI_API_KEY: 'k' }).server.host, '0.0.0.0')
})

t.test('the admin API is not open to other machines without a long token', async (t) => {
  t.match(problems('server: { host: example.com }'), [
    { path: 'server.host', message: /no token/, fix: /CASTOR_ADMIN_TOKEN/ },
  ])
  t.match(problems('server: { host: "::" }\nadmin: { token: short }'), [
    { line: 2, path: 'admin.token', message: /shorter than 16/ },
  ])
  t.equal(load('admin: { token: short }').admin.token, 'short', 'on loopback any will do')
})

t.test('loopback is what only this machine can reach', async (t) => {
  for (const host of ['127.0.0.1', '127.8.9.1', '::1', 'localhost', 'LOCALHOST']) t.equal(isLoopback(host), true, host)
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '126.0.0.1', '128.0.0.1', 'localhost.example.com'])
    t.equal(isLoopback(host), false, host)
})

t.test('TLS needs both of its files', async (t) => {
  const file = JSON.stringify(import.meta.filename)
  t.match(problems(`server: { tls: { cert: ${file} } }`), [{ path: 'server.tls.cert', message: /no key/ }])
  t.match(problems(`server: { tls: { key: ${file} } }`), [{ path: 'server.tls.key', message: /no certificate/ }])
  t.equal(load(`server: { tls: { key: ${file}, cert: ${file} } }`).server.tls.key, import.meta.filename)
})

t.test('the admin API stays out of the way of Gemini’s paths', async (t) => {
  for (const prefix of ['/v1beta', '/v1/admin', '/upload/', '/metrics']) {
    t.match(problems(`admin: { prefix: ${prefix} }`), [{ path: 'admin.prefix', message: /belongs to/ }], prefix)
  }
  t.match(problems('admin: { prefix: / }'), [{ path: 'admin.prefix', message: /is empty/ }])
  t.equal(load('admin: { prefix: /v1admin/ }').admin.prefix, '/v1admin')
})

t.test('amounts fit into one another', async (t) => {
  t.match(problems('limits: { bufferedBytes: 10MB }'), [{ path: 'limits.body', line: 1, message: /never be let in/ }])
  t.match(problems('server: { requestTimeout: 10s }'), [
    { path: 'server.headersTimeout', message: /of which it is a part/ },
  ])
})

t.test('a setting that is wrong in itself starts no second complaint', async (t) => {
  t.same(
    problems('auth: { mode: isued }\nserver: { host: 7 }', { GEMINI_API_KEY: 'k' }).map(({ path }) => path),
    ['auth.mode', 'server.host'],
  )
  t.same(
    problems(`clients: [{ name: a, keyHash: ${hash('1')}, upstreamKey: 5 }]`).map(({ path }) => path),
    ['clients[0].upstreamKey'],
  )
})

t.test('the admin API’s own address decides who could reach it', async (t) => {
  t.equal(load('server: { host: 0.0.0.0 }\nadmin: { listen: "127.0.0.1:9090" }').admin.listen, '127.0.0.1:9090')
  t.match(problems('admin:\n  listen: 0.0.0.0:9090\n'), [{ line: 2, path: 'admin.listen', message: /no token/ }])
  t.match(problems('admin:\n  listen: "[::]:9090"\n  token: short\n'), [{ path: 'admin.token', message: /shorter/ }])
  t.match(problems('admin: { listen: "10.0.0.1:9090", token: 0123456789abcdef-long, readToken: short }'), [
    { path: 'admin.readToken', message: /shorter than 16/ },
  ])
})

t.test('an admin address is a host and a port, and not the gateway’s own', async (t) => {
  for (const listen of ['9090', ':9090', '127.0.0.1', 'http://127.0.0.1:9090', '::1:9090', '127.0.0.1:port']) {
    t.match(problems(`admin: { listen: "${listen}" }`), [{ path: 'admin.listen', fix: /127\.0\.0\.1:9090/ }], listen)
  }
  t.match(problems('admin: { listen: "127.0.0.1:65536" }'), [{ path: 'admin.listen', message: /above 65535/ }])
  t.match(problems('admin: { listen: "127.0.0.1:8080" }'), [{ path: 'admin.listen', message: /Gemini API listens/ }])
  t.match(problems(`${token.replace(' }', ', listen: "0.0.0.0:8080" }')}`), [{ path: 'admin.listen' }])
  t.equal(load('admin: { listen: "" }').admin.listen, '')
})

t.test('whoever may look has a token of another text', async (t) => {
  t.match(problems('admin: { token: same-0123456789, readToken: same-0123456789 }'), [
    { path: 'admin.readToken', message: /same as admin\.token/ },
  ])
})
