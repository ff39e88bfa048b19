/** Gemini's certificate is checked before anything is said to it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { makeCertificate } from './certificate.ts'
import { callRaw, gatewayTo } from './helper.ts'
import { generate, head, leavesNothing, nemesis, post, readError, request } from './nemesis.ts'

t.test('a certificate that is not right is refused before the key is sent:', async (t) => {
  const authority = makeCertificate({ host: 'Castor test authority' })
  const folder = mkdtempSync(join(tmpdir(), 'castor-ca-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const caFile = join(folder, 'ca.pem')
  writeFileSync(caFile, authority.cert)
  const answer = (socket: Socket) => void socket.write(`${head('content-length: 2')}{}`)
  const secret = 'x-goog-api-key: CANARY-OF-TLS'
  const live = request('GET /ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent', [
    secret,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ])
  const asks = [post(generate, '{}', [secret]), request('GET /v1beta/models', [secret]), live]

  const wrong = [
    ['self-signed', makeCertificate({ host: '127.0.0.1' })],
    ['for another host', makeCertificate({ host: 'generativelanguage.googleapis.com', issuer: authority })],
    ['expired', makeCertificate({ host: '127.0.0.1', issuer: authority, validMs: -60_000 })],
  ] as const
  for (const [title, { cert, key }] of wrong) {
    t.test(title, async (t) => {
      const peer = await nemesis(t, answer, { cert, key })
      const gateway = await gatewayTo(t, peer.url, `upstream: { caFile: ${caFile} }`)
      for (const bytes of asks)
        t.match(readError(await callRaw(gateway.url, bytes).response), {
          status: 503,
          reason: 'CASTOR_UPSTREAM_UNREACHABLE',
        })
      t.notMatch(peer.received.join(''), 'CANARY-OF-TLS')
      await leavesNothing(t, gateway, peer)
    })
  }
  t.test('while one of an authority in upstream.caFile is trusted', async (t) => {
    const { cert, key } = makeCertificate({ host: '127.0.0.1', issuer: authority })
    const peer = await nemesis(t, answer, { cert, key })
    const gateway = await gatewayTo(t, peer.url, `upstream: { caFile: ${caFile} }`)
    for (const bytes of asks) t.equal((await callRaw(gateway.url, bytes).response).status, 200)
    await leavesNothing(t, gateway, peer)
  })
})
