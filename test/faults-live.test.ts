/** Live conversations that break, or never begin. */
import type { Socket } from 'node:net'
import t from 'tap'
import { callRaw, gatewayTo } from './helper.ts'
import { leavesNothing, nemesis, request, talk } from './nemesis.ts'

t.test('a Live conversation that breaks, or never begins, leaves nothing open:', async (t) => {
  const handshake = request('GET /ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent', [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ])
  const agreed = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
  const broken: [title: string, script: (socket: Socket) => void, seen: RegExp][] = [
    [
      'refused with a whole answer',
      (socket) => void socket.end(`HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n{}`),
      /^HTTP\/1\.1 403 [\s\S]*\{\}$/,
    ],
    [
      'refused with half an answer',
      (socket) => void socket.end(`HTTP/1.1 403 Forbidden\r\ncontent-length: 9\r\n\r\n{}`),
      /^HTTP\/1\.1 403 [\s\S]*\{\}$/,
    ],
    ['reset before the answer', (socket) => socket.resetAndDestroy(), /^HTTP\/1\.1 502 /],
    ['answered with nonsense', (socket) => void socket.end('nonsense\r\n\r\n'), /^HTTP\/1\.1 502 /],
    [
      'reset within the conversation',
      (socket) => void socket.write(`${agreed}hello`, () => setTimeout(() => socket.resetAndDestroy(), 50)),
      /^HTTP\/1\.1 101 [\s\S]*hello$/,
    ],
    ['ended within the conversation', (socket) => void socket.end(`${agreed}hello`), /^HTTP\/1\.1 101 [\s\S]*hello$/],
  ]
  for (const [title, script, seen] of broken) {
    t.test(title, async (t) => {
      const peer = await nemesis(t, script)
      const gateway = await gatewayTo(t, peer.url)
      const { text, end } = await talk(gateway.url, handshake, 3000)
      t.match(text, seen)
      t.not(end, 'open')
      t.equal((await callRaw(gateway.url, request('GET /healthz')).response).status, 200, 'the gateway lives')
      await leavesNothing(t, gateway, peer)
    })
  }
  t.test('left by the client', async (t) => {
    const peer = await nemesis(t, (socket) => void socket.write(agreed))
    const gateway = await gatewayTo(t, peer.url)
    const { end } = await talk(gateway.url, handshake, 100)
    t.equal(end, 'open', 'until the client left')
    await leavesNothing(t, gateway, peer)
  })
})
