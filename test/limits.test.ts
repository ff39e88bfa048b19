/** More than the gateway may carry at once is refused at the door, and makes room again when it is over. */
import type { Socket } from 'node:net'
import t from 'tap'
import { callRaw, gatewayTo, headerOf, until } from './helper.ts'
import { generate, nemesis, post, readError, request } from './nemesis.ts'

const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'

/** An upstream that answers when told to. */
async function patient(t: Parameters<typeof nemesis>[0]) {
  const waiting: Socket[] = []
  const peer = await nemesis(t, (socket) => void waiting.push(socket))
  return { peer, waiting, answerAll: () => waiting.splice(0).forEach((socket) => void socket.write(answer)) }
}

const body = (bytes: number) => JSON.stringify({ contents: [{ parts: [{ text: 'x'.repeat(bytes) }] }] })

t.test('a request beyond limits.inFlight is refused before its body is read', async (t) => {
  const { peer, waiting, answerAll } = await patient(t)
  const { url, app, log } = await gatewayTo(t, peer.url, 'limits: { inFlight: 2 }')
  const calls = [callRaw(url, post(generate, '{}')), callRaw(url, request('GET /v1beta/models'))]
  await until(() => waiting.length === 2, 2000, 'both calls upstream')
  for (const line of [`POST ${generate}`, 'GET /v1beta/models', 'POST /upload/v1beta/files']) {
    const refused = await callRaw(url, request(line, ['Content-Length: 1000'])).response
    t.match(readError(refused), { status: 503, name: 'UNAVAILABLE', reason: 'CASTOR_OVERLOADED' })
    t.equal(headerOf(refused.headers, 'retry-after'), '1')
  }
  t.equal((await callRaw(url, request('GET /healthz')).response).status, 200, 'health is not traffic')
  answerAll()
  for (const call of calls) t.equal((await call.response).status, 200)
  await until(() => app.castor.load.inFlight === 0, 1000, 'the end of both')
  const next = callRaw(url, request('GET /v1beta/models'))
  await until(() => waiting.length === 1, 2000, 'the next call')
  answerAll()
  t.equal((await next.response).status, 200)
  t.equal(log.filter(({ reason }) => reason === 'CASTOR_OVERLOADED').length, 3, 'refusals are logged like calls')
})

t.test(
  'bodies beyond limits.bufferedBytes are refused, and those that are held count until their calls end',
  async (t) => {
    const { peer, waiting, answerAll } = await patient(t)
    const { url, app } = await gatewayTo(t, peer.url, 'limits: { body: 1MB, bufferedBytes: 1MB }')
    const first = callRaw(url, post(generate, body(600_000)))
    await until(() => waiting.length === 1, 2000, 'the first call')
    t.ok(app.castor.load.heldBodyBytes > 600_000)
    t.match(readError(await callRaw(url, post(generate, body(600_000))).response), {
      status: 503,
      reason: 'CASTOR_OVERLOADED',
    })
    const chunked = request(
      `POST ${generate}`,
      ['Transfer-Encoding: chunked'],
      `${(600_000).toString(16)}\r\n${'x'.repeat(600_000)}\r\n`,
    )
    t.match(readError(await callRaw(url, chunked).response), { status: 503, reason: 'CASTOR_OVERLOADED' })
    const small = callRaw(url, post(generate, body(1000)))
    await until(() => waiting.length === 2, 2000, 'a small call beside it')
    answerAll()
    t.equal((await first.response).status, 200)
    t.equal((await small.response).status, 200)
    await until(() => app.castor.load.heldBodyBytes === 0, 1000, 'the end of both')
    const again = callRaw(url, post(generate, body(600_001)))
    await until(() => waiting.length === 1, 2000, 'a call of the same size')
    answerAll()
    t.equal((await again.response).status, 200)
  },
)

t.test('bodies that are announced and never come keep nobody out', async (t) => {
  const peer = await nemesis(t, (socket) => void socket.write(answer))
  const { url, app } = await gatewayTo(t, peer.url, 'limits: { body: 1MB, bufferedBytes: 1MB }')
  const idle = Array.from({ length: 20 }, () =>
    callRaw(url, request(`POST ${generate}`, ['Content-Length: 900000'], 'x')),
  )
  await until(() => app.castor.load.inFlight === 20, 2000, 'all of them in progress')
  t.equal((await callRaw(url, post(generate, body(100_000))).response).status, 200)
  for (const call of idle) call.leave()
  await until(() => app.castor.load.inFlight === 0, 2000, 'their end')
  t.equal(app.castor.load.heldBodyBytes, 0)
})

t.test('uploads are streamed and take no room', async (t) => {
  const { peer, waiting, answerAll } = await patient(t)
  const { url, app } = await gatewayTo(t, peer.url, 'limits: { body: 1MB, bufferedBytes: 1MB }')
  const upload = callRaw(url, request('POST /upload/v1beta/files', ['Content-Length: 3000000'], 'x'.repeat(3_000_000)))
  await until(() => waiting.length === 1 && (peer.received[0]?.length ?? 0) > 3_000_000, 5000, 'the whole upload')
  t.equal(app.castor.load.heldBodyBytes, 0)
  answerAll()
  t.equal((await upload.response).status, 200)
})
