/** Whatever happens upstream, a client gets an answer or a typed error, never half an answer as a whole one; and nothing stays open. */
import type { Socket } from 'node:net'
import t from 'tap'
import { callRaw, chunk, gatewayTo, headerOf } from './helper.ts'
import {
  call,
  deadOrigin,
  head,
  leavesNothing,
  listing,
  nemesis,
  post,
  readError,
  request,
  streamed,
  talk,
} from './nemesis.ts'

t.test('an upstream that cannot be reached is 503, told without its address', async (t) => {
  const origin = await deadOrigin()
  const gateway = await gatewayTo(t, origin)
  for (const bytes of [call, streamed, listing]) {
    const response = await callRaw(gateway.url, bytes).response
    t.match(readError(response), { status: 503, name: 'UNAVAILABLE', reason: 'CASTOR_UPSTREAM_UNREACHABLE' })
    t.equal(headerOf(response.headers, 'retry-after'), '1')
    t.notMatch(response.body.toString() + JSON.stringify(response.headers), /127\.0\.0\.1|ECONN|\.ts:\d/)
  }
  t.match(JSON.stringify(gateway.log), new URL(origin).port, 'the operator reads the cause in the log')
  await leavesNothing(t, gateway)
})

t.test('an upstream that takes connections and never speaks is given up:', async (t) => {
  t.test('before TLS, after the connect timeout', async (t) => {
    const peer = await nemesis(t, () => {})
    const gateway = await gatewayTo(t, peer.url.replace('http:', 'https:'), 'upstream: { connectTimeout: 200ms }')
    for (const bytes of [call, listing])
      t.match(readError(await callRaw(gateway.url, bytes).response), {
        status: 503,
        reason: 'CASTOR_UPSTREAM_UNREACHABLE',
      })
    await leavesNothing(t, gateway, peer)
  })
  t.test('after the request, with 504 after the first-byte timeout', async (t) => {
    const peer = await nemesis(t, () => {})
    const gateway = await gatewayTo(t, peer.url, 'upstream: { firstByteTimeout: 1s }')
    const answers = await Promise.all([call, streamed, listing].map((bytes) => callRaw(gateway.url, bytes).response))
    for (const answer of answers)
      t.match(readError(answer), { status: 504, name: 'DEADLINE_EXCEEDED', reason: 'CASTOR_UPSTREAM_TIMEOUT' })
    await leavesNothing(t, gateway, peer)
  })
  t.test('in the middle of its headers', async (t) => {
    const peer = await nemesis(t, (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-ty'))
    const gateway = await gatewayTo(t, peer.url, 'upstream: { firstByteTimeout: 1s }')
    t.match(readError(await callRaw(gateway.url, call).response), { status: 504, reason: 'CASTOR_UPSTREAM_TIMEOUT' })
    await leavesNothing(t, gateway, peer)
  })
})

t.test('an answer that is none is 502:', async (t) => {
  const broken: [title: string, script: (socket: Socket) => void][] = [
    ['a reset right after the request', (socket) => socket.resetAndDestroy()],
    // undici's reading of RFC 9110 §15.2.1: it has asked for none.
    ['a 100 Continue that nobody asked for', (socket) => void socket.write('HTTP/1.1 100 Continue\r\n\r\n')],
    ['an end without a word', (socket) => socket.end()],
    [
      'a reset within the headers',
      (socket) => void socket.write('HTTP/1.1 200 OK\r\ncont', () => socket.resetAndDestroy()),
    ],
    ['an end within the headers', (socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n')],
    ['not HTTP', (socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n')],
    ['two lengths', (socket) => void socket.end(`${head('content-length: 2', 'content-length: 3')}{}`)],
    [
      'a length and chunks',
      (socket) => void socket.end(`${head('content-length: 2', 'transfer-encoding: chunked')}2\r\n{}\r\n0\r\n\r\n`),
    ],
    [
      'headers without end',
      (socket) =>
        void socket.write(`HTTP/1.1 200 OK\r\n${'x-filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n'.repeat(3000)}`),
    ],
    [
      'a control character in a header',
      (socket) => void socket.end(`${head('x-note: a\x01b', 'content-length: 2')}{}`),
    ],
  ]
  for (const [title, script] of broken) {
    t.test(title, async (t) => {
      const peer = await nemesis(t, script)
      const gateway = await gatewayTo(t, peer.url)
      for (const bytes of [call, listing])
        t.match(readError(await callRaw(gateway.url, bytes).response), {
          status: 502,
          reason: 'CASTOR_UPSTREAM_BROKEN',
        })
      await leavesNothing(t, gateway, peer)
    })
  }
})

t.test('a whole answer passes, however it comes:', async (t) => {
  const body = '{"é":"日本"}'
  const length = `content-length: ${Buffer.byteLength(body)}`
  const byBytes = (text: string) => (socket: Socket) => {
    const bytes = Buffer.from(text)
    let sent = 0
    const next = () =>
      socket.writable && sent < bytes.length && socket.write(bytes.subarray(sent, ++sent), () => setImmediate(next))
    next()
  }
  const whole: [title: string, script: (socket: Socket) => void][] = [
    [
      '103 Early Hints before it',
      (socket) => void socket.write(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${head(length)}${body}`),
    ],
    ['one byte at a time', byBytes(head(length) + body)],
    [
      'in chunks of one byte',
      (socket) =>
        void socket.write(
          head('transfer-encoding: chunked') +
            [...Buffer.from(body)].map((byte) => chunk(Buffer.of(byte)).toString('latin1')).join('') +
            '0\r\n\r\n',
          'latin1',
        ),
    ],
    [
      'chunks with extensions and trailers',
      (socket) =>
        void socket.write(
          `${head('transfer-encoding: chunked')}${Buffer.byteLength(body).toString(16)};a=b\r\n${body}\r\n0\r\nx-sum: 1\r\n\r\n`,
        ),
    ],
    [
      'ended by the end of the connection',
      (socket) => void socket.end(`${head('content-type: application/json')}${body}`),
    ],
    ['from HTTP/1.0', (socket) => void socket.end(`HTTP/1.0 200 OK\r\n${length}\r\n\r\n${body}`)],
    ['with Connection: close', (socket) => void socket.end(`${head(length, 'connection: close')}${body}`)],
  ]
  for (const [title, script] of whole) {
    t.test(title, async (t) => {
      const peer = await nemesis(t, script)
      const gateway = await gatewayTo(t, peer.url)
      for (const bytes of [call, listing]) {
        const response = await callRaw(gateway.url, bytes).response
        t.match(response, { status: 200, complete: true })
        t.equal(response.body.toString(), body)
      }
      await leavesNothing(t, gateway, peer)
    })
  }
})

t.test('bytes behind an answer are never the next one’s', async (t) => {
  const stolen = `${head('content-length: 6')}stolen`
  const peer = await nemesis(t, (socket) => void socket.write(`${head('content-length: 2')}{}${stolen}`))
  const gateway = await gatewayTo(t, peer.url, 'upstream: { connections: 1 }')
  for (const bytes of [call, call, listing, listing]) {
    const response = await callRaw(gateway.url, bytes).response
    t.equal(response.body.toString(), '{}')
  }
  t.equal(peer.received.length, 4, 'the connection is not used again')
  await leavesNothing(t, gateway, peer)
})

t.test('a unary answer that breaks is cut, never ended:', async (t) => {
  const broken: [title: string, script: (socket: Socket) => void][] = [
    ['shorter than its length', (socket) => void socket.end(`${head('content-length: 10')}{"a"`)],
    [
      'reset at byte 4',
      (socket) =>
        void socket.write(`${head('content-length: 10')}{"a"`, () => setTimeout(() => socket.resetAndDestroy(), 20)),
    ],
    ['within a chunk', (socket) => void socket.end(`${head('transfer-encoding: chunked')}a\r\n{"a"`)],
    ['without the last chunk', (socket) => void socket.end(`${head('transfer-encoding: chunked')}4\r\n{"a"\r\n`)],
    [
      'at a chunk size of garbage',
      (socket) => void socket.write(`${head('transfer-encoding: chunked')}4\r\n{"a"\r\nxyz\r\n`),
    ],
  ]
  for (const [title, script] of broken) {
    t.test(title, async (t) => {
      const peer = await nemesis(t, script)
      const gateway = await gatewayTo(t, peer.url)
      for (const bytes of [call, post('/v1beta/models/gemini-2.5-flash:streamGenerateContent', '{}'), listing]) {
        const seen = await talk(gateway.url, bytes, 2000)
        t.match(seen.text, /^HTTP\/1\.1 200 OK\r\n/)
        t.notMatch(seen.text, /\r\n0\r\n\r\n$/)
        t.not(seen.end, 'open')
        t.notMatch(seen.text, /CASTOR|error/)
      }
      await leavesNothing(t, gateway, peer)
    })
  }
})

t.test(
  'an upload that Gemini answers before it is whole gets that answer, whatever the client does then',
  async (t) => {
    const early = 'HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}'
    const endings = [(socket: Socket) => socket.write(early), (socket: Socket) => socket.end(early)]
    const framings = [['Content-Length: 1000000'], ['Transfer-Encoding: chunked']]
    for (const ending of endings) {
      for (const framing of framings) {
        const peer = await nemesis(t, (socket) => void ending(socket))
        const gateway = await gatewayTo(t, peer.url)
        const upload = callRaw(gateway.url, request('POST /upload/v1beta/files', framing, '5\r\nhello\r\n'))
        const { status, body } = await upload.response
        t.equal(status, 400)
        t.equal(body.toString(), '{}')
        t.equal((await callRaw(gateway.url, request('GET /healthz')).response).status, 200, 'the gateway lives')
        await leavesNothing(t, gateway, peer)
      }
    }
  },
)

t.test('a redirect is the client’s to follow', async (t) => {
  const elsewhere = await nemesis(t, () => {})
  const redirect = `HTTP/1.1 302 Found\r\nlocation: ${elsewhere.url}/v1beta/models\r\ncontent-length: 0\r\n\r\n`
  const peer = await nemesis(t, (socket) => void socket.write(redirect))
  const gateway = await gatewayTo(t, peer.url)
  for (const bytes of [call, listing]) {
    const response = await callRaw(gateway.url, bytes).response
    t.equal(response.status, 302)
    t.equal(headerOf(response.headers, 'location'), `${elsewhere.url}/v1beta/models`)
  }
  t.equal(elsewhere.received.length, 0)
  await leavesNothing(t, gateway, peer)
})

t.test('repeated headers stay repeated', async (t) => {
  const answer = `${head('x-goog-a: 1', 'X-Goog-A: 2', 'content-length: 2')}{}`
  const peer = await nemesis(t, (socket) => void socket.write(answer))
  const gateway = await gatewayTo(t, peer.url)
  for (const bytes of [call, listing]) {
    const { headers } = await callRaw(gateway.url, bytes).response
    t.same(
      headers.filter(([name]) => name.toLowerCase() === 'x-goog-a').map(([, value]) => value),
      ['1', '2'],
    )
  }
  await leavesNothing(t, gateway, peer)
})

t.test('an upstream in trouble is asked once, for calls and for lists alike', async (t) => {
  const busy = 'HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 2\r\n\r\n{}'
  const peer = await nemesis(t, (socket) => void socket.end(busy))
  const gateway = await gatewayTo(t, peer.url)
  for (const bytes of [call, listing]) t.equal((await callRaw(gateway.url, bytes).response).status, 503)
  t.equal(peer.received.length, 2)
  await leavesNothing(t, gateway, peer)
})
