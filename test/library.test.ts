/** Castor as a plugin of somebody else's Fastify application. */
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { issueKey } from '../src/auth/issued.ts'
import castor from '../src/plugin.ts'
import { callRaw, headerOf, until, upstream } from './helper.ts'
import { generate, nemesis, post, readError, request, stream } from './nemesis.ts'

const answer = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}'

/** A host application with routes of its own, and Castor under /gemini. */
async function host(
  t: Test,
  upstreamUrl: string,
  settings: object = {},
): Promise<{ url: string; app: FastifyInstance }> {
  const app = Fastify({ forceCloseConnections: true })
  app.get('/hello', async () => ({ hello: 'world' }))
  app.post('/echo', async ({ body }) => body)
  await app.register(castor, {
    prefix: '/gemini',
    dataDir: t.testdir(),
    upstream: { url: upstreamUrl },
    log: { level: 'silent' },
    ...settings,
  })
  t.teardown(() => app.close())
  return { url: await app.listen({ port: 0, host: '127.0.0.1' }), app }
}

t.test('serves Gemini under its prefix, and takes the prefix off', async (t) => {
  const peer = await upstream(t, () => ({ slices: [answer] }))
  const { url } = await host(t, peer.url)
  const asks = [
    post(`/gemini${generate}`, '{}'),
    request('GET /gemini/v1beta/models?pageSize=2'),
    post('/gemini/v1beta/openai/embeddings', '{}'),
  ]
  for (const bytes of asks) t.equal((await callRaw(url, bytes).response).status, 200)
  t.same(
    peer.requests.map(({ url }) => url),
    [generate, '/v1beta/models?pageSize=2', '/v1beta/openai/embeddings'],
  )
  t.equal((await fetch(`${url}/gemini/healthz`)).status, 200)
  t.match(await (await fetch(`${url}/gemini/metrics`)).text(), 'castor_requests_total')
})

t.test('leaves the host’s own routes, parsers and errors alone', async (t) => {
  const peer = await upstream(t, () => ({ slices: [answer] }))
  const { url } = await host(t, peer.url)
  t.same(await (await fetch(`${url}/hello`)).json(), { hello: 'world' })
  const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1}' }
  t.same(await (await fetch(`${url}/echo`, json)).json(), { a: 1 })
  t.equal((await fetch(`${url}/echo`, { ...json, body: '{' })).status, 400)
  t.match(await (await fetch(`${url}/nowhere`)).json(), { statusCode: 404, error: 'Not Found' }, 'Fastify’s own shape')
  t.equal(peer.requests.length, 0)
})

t.test('refuses in Gemini’s shape within its prefix', async (t) => {
  const { url } = await host(t, 'http://127.0.0.1:9')
  const response = await callRaw(url, 'GET /gemini/v1beta/models HTTP/1.1\r\nHost: a\r\n\r\n').response
  t.match(readError(response), { status: 403, reason: 'CASTOR_KEY_MISSING' })
  t.match(readError(await callRaw(url, post(`/gemini${generate}`, '{}')).response), { status: 503 })
})

t.test('is as strict with keys and upload addresses as the gateway itself', async (t) => {
  const key = issueKey()
  const address = 'https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=a&key=UP'
  const peer = await upstream(t, () => ({
    slices: [`HTTP/1.1 200 OK\r\nx-goog-upload-url: ${address}\r\ncontent-length: 0\r\n\r\n`],
  }))
  const settings = { auth: { upstreamKey: 'UP' }, clients: [{ name: 'crm', keyHash: [key.keyHash] }] }
  const { url } = await host(t, peer.url, settings)
  const start = request('POST /gemini/upload/v1beta/files', [`x-goog-api-key: ${key.key}`, 'Content-Length: 0'])
  const { headers } = await callRaw(url, start.replace('Host: gateway', `Host: ${new URL(url).host}`)).response
  t.equal(headerOf(peer.requests[0]?.headers ?? [], 'x-goog-api-key'), 'UP')
  t.match(headerOf(headers, 'x-goog-upload-url'), `${url}/gemini/upload/v1beta/files?upload_id=a&castor_upload=`)
  t.notMatch(JSON.stringify(headers), /key=UP/)
})

t.test('passes streams on as they come, and cancels for a client that leaves', async (t) => {
  const peer = await nemesis(
    t,
    (socket) =>
      void socket.write(
        'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n8\r\ndata: 1\n\r\n',
      ),
  )
  const { url } = await host(t, peer.url)
  const call = callRaw(url, post(`/gemini${stream}`, '{}'))
  await until(() => peer.open === 1, 1000, 'the call upstream')
  call.leave()
  await until(() => peer.open === 0, 1000, 'its end')
  t.pass()
})

t.test('wrong settings stop the host at its start', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await t.rejects(async () => app.register(castor, { limits: { inFlihgt: 1 } }), {
    name: 'ConfigError',
    message: /inFlight/,
  })
})
