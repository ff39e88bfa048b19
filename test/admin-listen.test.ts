import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import Fastify from 'fastify'
import t from 'tap'
import { loadConfig } from '../config/load.ts'
import { buildGateway } from '../src/app.ts'
import castor from '../src/plugin.ts'
import { startGateway } from '../src/serve.ts'
import { type Closing, until } from './helper.ts'

const prefix = '/api/ai-engine/optimization'

function settings(t: { testdir(): string }, admin: string, more = ''): { file: string; text: string; env: object } {
  const text = `server: { port: 0, drain: 2s }
dataDir: ${t.testdir()}
auth: { secret: s }
upstream: { url: "http://127.0.0.1:9" }
log: { level: silent }
admin: ${admin}
${more}`
  return { file: 'test.yaml', text, env: {} }
}

async function start(t: Closing & { testdir(): string }, admin: string, more = '') {
  const running = await startGateway({ ...settings(t, admin, more), env: {} })
  t.teardown(async () => void (await running.stop()))
  const status = async (url: string) => (await fetch(url, { headers: { connection: 'close' } })).status
  return { ...running, status, operators: new URL('/', running.adminUrl).href.slice(0, -1) }
}

t.test('with a listener of its own the admin API answers there and nowhere else', async (t) => {
  const { url, adminUrl, operators, status } = await start(t, '{ listen: "127.0.0.1:0" }')
  t.not(operators, url)
  for (const path of [`${prefix}/config/`, `${prefix}/`, '/metrics', '/openapi.json', '/healthz', '/readyz']) {
    t.equal(await status(operators + path), 200, `${path} for operators`)
  }
  for (const path of [`${prefix}/config/`, prefix, `${prefix}/`, '/metrics', '/openapi.json']) {
    const answer = await fetch(url + path)
    t.equal(answer.status, 404, `${path} for clients`)
    t.match(await answer.json(), { error: { details: [{ reason: 'CASTOR_NOT_FOUND' }] } })
  }
  t.equal(await status(`${url}/healthz`), 200)
  t.match(await (await fetch(`${operators}/v1beta/models`)).json(), { error: { code: 404, status: 'NOT_FOUND' } })
  t.equal(adminUrl, `${operators}${prefix}/`)
})

t.test('both listeners share one house', async (t) => {
  const { url, operators } = await start(t, '{ listen: "127.0.0.1:0" }')
  await (
    await fetch(`${url}/v1beta/models/gemini-2.5-flash:generateContent`, {
      method: 'POST',
      headers: { 'x-goog-api-key': 'k' },
      body: '{}',
    })
  ).text()
  // A call is noted when the gateway has read the answer, which may be a moment after the client has.
  let seen = ''
  for (let look = 0; look < 100 && !seen.includes('gemini-2.5-flash'); look++) {
    seen = await (await fetch(`${operators}${prefix}/service/health/`)).text()
  }
  t.match(JSON.parse(seen), { upstream: { models: [{ model: 'gemini-2.5-flash' }] } })
  t.match(await (await fetch(`${operators}/metrics`)).text(), /castor_requests_total\{route="\/v1beta/)
})

t.test('the token is asked for there too', async (t) => {
  const { operators, status } = await start(t, '{ listen: "127.0.0.1:0", token: 0123456789abcdef }')
  t.equal(await status(`${operators}${prefix}/config/`), 401)
})

t.test('an admin address that is taken ends the start and leaves nothing open', async (t) => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  t.teardown(() => void other.close())
  const { port } = other.address() as AddressInfo
  await t.rejects(startGateway({ ...settings(t, `{ listen: "127.0.0.1:${port}" }`), env: {} }), { code: 'EADDRINUSE' })
})

t.test('operators can watch the drain, until the last stream is over', async (t) => {
  const hold = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: {}\r\n\r\n')
  })
  await new Promise<void>((resolve) => hold.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    hold.closeAllConnections()
    hold.close()
  })
  const { port } = hold.address() as AddressInfo
  const text = settings(t, '{ listen: "127.0.0.1:0" }').text.replace('127.0.0.1:9"', `127.0.0.1:${port}"`)
  const running = await startGateway({ file: 'test.yaml', text, env: {} })
  const stream = connect(Number(new URL(running.url).port), '127.0.0.1')
  t.teardown(() => void stream.destroy())
  stream.on('error', () => {})
  stream.write(
    'POST /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse HTTP/1.1\r\nHost: x\r\nx-goog-api-key: k\r\nContent-Length: 2\r\n\r\n{}',
  )
  await until(() => stream.bytesRead > 0)
  const stopped = running.stop()
  const health = await (await fetch(`${running.adminUrl}service/health/`)).json()
  t.match(health, { status: 'draining', load: { inFlight: 1 } })
  stream.destroy()
  t.equal(await stopped, true)
  await t.rejects(fetch(running.adminUrl))
})

t.test('inside another application there is no listener of its own to have', async (t) => {
  const host = Fastify()
  t.teardown(() => host.close())
  await t.rejects(
    async () =>
      host.register(castor, { admin: { listen: '127.0.0.1:0' }, dataDir: t.testdir(), auth: { secret: 's' } }),
    { name: 'ConfigError', message: /admin\.listen: has no effect/ },
  )
})

t.test('a gateway that is built and not started opens no listener', async (t) => {
  const app = await buildGateway(
    loadConfig(settings(t, '{ listen: "127.0.0.1:9" }') as Parameters<typeof loadConfig>[0]),
  )
  t.teardown(() => app.close())
  t.equal((await app.inject(`${prefix}/config/`)).statusCode, 404)
})
