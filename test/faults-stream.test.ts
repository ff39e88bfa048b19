/** A stream that breaks is told to its client and cut; one that nobody reads is held or cancelled. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { constants, createGzip, gunzipSync } from 'node:zlib'
import t from 'tap'
import { makeCertificate } from './certificate.ts'
import { callRaw, chunk, gatewayTo, headerOf, until } from './helper.ts'
import { call, event, head, leavesNothing, listing, nemesis, request, sse, streamed, tail, talk } from './nemesis.ts'

t.test('a stream that breaks ends in Google’s raw error and is then cut:', async (t) => {
  const broken: [title: string, script: (socket: Socket) => void][] = [
    [
      'reset between events',
      (socket) => void socket.write(sse + chunk(event('one')), () => setTimeout(() => socket.resetAndDestroy(), 20)),
    ],
    ['ended between events, without the last chunk', (socket) => void socket.end(sse + chunk(event('one')))],
    ['ended within a chunk', (socket) => void socket.end(`${sse + chunk(event('one'))}ff\r\ndata: {`)],
    ['a chunk size of garbage', (socket) => void socket.write(`${sse + chunk(event('one'))}no\r\n`)],
    [
      'half-closed, then reset',
      (socket) => void socket.end(sse + chunk(event('one')), () => setTimeout(() => socket.resetAndDestroy(), 20)),
    ],
  ]
  for (const [title, script] of broken) {
    t.test(title, async (t) => {
      const peer = await nemesis(t, script)
      const gateway = await gatewayTo(t, peer.url)
      const seen = await talk(gateway.url, streamed, 3000)
      t.match(seen.text, event('one'))
      t.match(seen.text, tail())
      t.notMatch(seen.text, /\r\n0\r\n\r\n$/, 'a clean end would pass for a whole answer')
      t.not(seen.end, 'open')
      t.ok(seen.silenceMs > 400 && seen.silenceMs < 2500, `cut about 0.7 s after the error, not ${seen.silenceMs} ms`)
      await leavesNothing(t, gateway, peer)
    })
  }
  t.test('a stall longer than the idle timeout', async (t) => {
    const peer = await nemesis(t, (socket) => void socket.write(sse + chunk(event('one'))))
    const gateway = await gatewayTo(t, peer.url, 'upstream: { idleTimeout: 1s }')
    const seen = await talk(gateway.url, streamed, 5000)
    t.match(seen.text, tail('DEADLINE_EXCEEDED'))
    t.not(seen.end, 'open')
    await leavesNothing(t, gateway, peer)
  })
  t.test('for a client of HTTP/1.0, to whom an orderly end would be the end of the answer', async (t) => {
    const peer = await nemesis(t, (socket) => void socket.end(sse + chunk(event('one'))))
    const gateway = await gatewayTo(t, peer.url)
    const seen = await talk(gateway.url, streamed.replace('HTTP/1.1', 'HTTP/1.0'), 3000)
    t.match(seen.text, event('one'))
    t.match(seen.text, tail())
    t.equal(seen.end, 'reset')
    await leavesNothing(t, gateway, peer)
  })
})

t.test('over TLS a broken stream is cut as well', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'castor-tls-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const { cert, key } = makeCertificate({ host: '127.0.0.1' })
  writeFileSync(join(folder, 'cert.pem'), cert)
  writeFileSync(join(folder, 'key.pem'), key)
  const peer = await nemesis(t, (socket) => void socket.end(sse + chunk(event('one'))))
  const tls = `server: { tls: { cert: ${join(folder, 'cert.pem')}, key: ${join(folder, 'key.pem')} } }`
  const gateway = await gatewayTo(t, peer.url, tls)
  t.match(gateway.url, /^https:/)
  for (const bytes of [streamed, streamed.replace('HTTP/1.1', 'HTTP/1.0')]) {
    const seen = await talk(gateway.url, bytes, 3000)
    t.match(seen.text, event('one'))
    t.match(seen.text, tail())
    t.not(seen.end, 'open')
  }
  await leavesNothing(t, gateway, peer)
})

t.test('events arrive byte for byte, cut within a character or a delimiter', async (t) => {
  const events = Buffer.from(event('é日本🪐') + event('zwei'))
  let at = 1
  const peer = await nemesis(t, async (socket) => {
    const pieces = [events.subarray(0, at), events.subarray(at)]
    for (const piece of [sse, ...pieces.map((bytes) => chunk(bytes)), '0\r\n\r\n'])
      await new Promise((sent) => socket.write(piece, () => setImmediate(sent)))
  })
  const gateway = await gatewayTo(t, peer.url)
  for (; at < events.length; at += 3) {
    const response = await callRaw(gateway.url, streamed).response
    t.ok(response.complete && response.body.equals(events), `cut at ${at}`)
  }
  await leavesNothing(t, gateway, peer)
})

t.test('compressed events pass byte for byte, and broken ones end in an error the client can read', async (t) => {
  const compressed = await new Promise<Buffer[]>((resolve) => {
    const pieces: Buffer[] = []
    const gzip = createGzip()
    gzip.on('data', (piece: Buffer) => pieces.push(piece))
    gzip.write(event('one'))
    gzip.flush(constants.Z_SYNC_FLUSH, () => {
      gzip.write(event('two'))
      gzip.flush(constants.Z_SYNC_FLUSH, () => {
        gzip.end(() => setImmediate(() => resolve(pieces)))
      })
    })
  })
  const whole = Buffer.concat(compressed)
  const answer = head('content-type: text/event-stream', 'content-encoding: gzip', 'transfer-encoding: chunked')
  const wire = (...pieces: Buffer[]) => Buffer.concat([Buffer.from(answer), ...pieces.map((piece) => chunk(piece))])

  t.test('whole', async (t) => {
    const peer = await nemesis(t, (socket) => void socket.write(Buffer.concat([wire(whole), Buffer.from('0\r\n\r\n')])))
    const gateway = await gatewayTo(t, peer.url)
    const response = await callRaw(gateway.url, streamed).response
    t.equal(headerOf(response.headers, 'content-encoding'), 'gzip')
    t.ok(response.body.equals(whole))
    await leavesNothing(t, gateway, peer)
  })
  t.test('broken between two flushed events', async (t) => {
    const first = whole.subarray(0, whole.indexOf(Buffer.from('0000ffff', 'hex')) + 4)
    const peer = await nemesis(t, (socket) => void socket.end(wire(first)))
    const gateway = await gatewayTo(t, peer.url)
    const response = await callRaw(gateway.url, streamed).response
    t.equal(response.complete, false)
    const text = gunzipSync(response.body, { finishFlush: constants.Z_SYNC_FLUSH }).toString()
    t.match(text, event('one'))
    t.match(text, tail(), 'the tail stands inside the compressed stream')
    await leavesNothing(t, gateway, peer)
  })
  t.test('broken within an event', async (t) => {
    const peer = await nemesis(t, (socket) => void socket.end(wire(whole.subarray(0, 20))))
    const gateway = await gatewayTo(t, peer.url)
    const response = await callRaw(gateway.url, streamed).response
    t.equal(response.complete, false)
    t.ok(response.body.equals(whole.subarray(0, 20)), 'nothing is added where it could not be read')
    await leavesNothing(t, gateway, peer)
  })
})

t.test('a client that leaves cancels its call within a second:', async (t) => {
  const asks: [title: string, bytes: string, answer: string][] = [
    ['a call before its headers', call, ''],
    ['a stream before its headers', streamed, ''],
    ['a list before its headers', listing, ''],
    ['a stream after its first event', streamed, sse + chunk(event('one'))],
    ['a call within its body', call, `${head('content-length: 10')}{"a"`],
    ['a list within its body', listing, `${head('content-length: 10')}{"a"`],
  ]
  for (const [title, bytes, answer] of asks) {
    t.test(title, async (t) => {
      const peer = await nemesis(t, (socket) => void (answer !== '' && socket.write(answer)))
      const gateway = await gatewayTo(t, peer.url)
      const client = callRaw(gateway.url, bytes)
      await until(() => peer.received.length === 1 && peer.received[0] !== '', 1000, 'the call upstream')
      client.leave()
      await until(() => peer.open === 0, 1000, 'the end of the call upstream')
      await leavesNothing(t, gateway, peer)
      const line = gateway.log.find((entry) => entry.msg === 'request')
      t.equal(line?.outcome, 'client_abort')
    })
  }
})

t.test('a client that reads slowly slows the upstream, and memory stays flat', async (t) => {
  const megabyte = Buffer.alloc(1 << 20, 'x')
  let sent = 0
  let sentAt = 0
  const pour = (answer: string) => (socket: Socket) => {
    socket.write(answer)
    const more = (): void => {
      while (socket.writable && sent < 256 * megabyte.length) {
        sent += megabyte.length
        sentAt = performance.now()
        if (!socket.write(chunk(megabyte))) return void socket.once('drain', more)
      }
    }
    more()
  }
  for (const [bytes, answer] of [
    [streamed, sse],
    [request('GET /v1beta/files/a:download?alt=media'), head('transfer-encoding: chunked')],
  ] as const) {
    sent = 0
    const peer = await nemesis(t, pour(answer))
    const gateway = await gatewayTo(t, peer.url)
    const client = connect(Number(new URL(gateway.url).port), '127.0.0.1')
    client.on('error', () => {})
    client.write(bytes)
    client.pause()
    await until(() => sent > 0 && performance.now() - sentAt > 300, 5000, 'the wait of the upstream')
    t.ok(sent < 64 * megabyte.length, `${sent >> 20} MB were taken from an upstream that would have sent 256`)
    client.destroy()
    await until(() => peer.open === 0, 1000, 'the end of the call upstream')
    await leavesNothing(t, gateway, peer)
  }
})
