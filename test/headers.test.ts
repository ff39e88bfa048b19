import fc from 'fast-check'
import t from 'tap'
import { type OutgoingCredentials, passesToClient, requestHeaderRule, upstreamHeaders } from '../src/gemini/headers.ts'

const untouched: OutgoingCredentials = {
  apiKey: null,
  authorization: null,
  strip: { apiKey: false, authorization: false },
}
const replaced: OutgoingCredentials = {
  apiKey: 'ours',
  authorization: null,
  strip: { apiKey: true, authorization: true },
}

t.test('what passes keeps its order, its case and its repetitions', async (t) => {
  const raw = [
    'User-Agent',
    'a',
    'X-Goog-Api-Client',
    'b',
    'x-goog-api-client',
    'c',
    'Content-Type',
    'd',
    'ACCEPT',
    'e',
  ]
  t.same(upstreamHeaders(raw, untouched), raw)
})

t.test('what ends here does not go up', async (t) => {
  const dropped = [
    'Host',
    'Connection',
    'Keep-Alive',
    'Transfer-Encoding',
    'TE',
    'Trailer',
    'Upgrade',
    'Proxy-Authorization',
    'Proxy-Connection',
    'Content-Length',
    'Expect',
    'Cookie',
    'Forwarded',
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X-Real-IP',
    'Via',
    'Cache-Control',
    'x-castor-tags',
    'x-castor-anything',
    'X-Invented',
    'HTTP2-Settings',
  ]
  t.same(
    upstreamHeaders(
      dropped.flatMap((name) => [name, 'keep-alive']),
      untouched,
    ),
    [],
  )
})

t.test('a header that Connection names ends here, our credential never does', async (t) => {
  const raw = [
    'Connection',
    'close, X-Goog-Request-Params',
    'connection',
    'x-goog-api-key',
    'x-goog-request-params',
    'a',
    'x-goog-api-key',
    'theirs',
    'accept',
    'b',
  ]
  t.same(upstreamHeaders(raw, replaced), ['accept', 'b', 'x-goog-api-key', 'ours'])
  t.same(upstreamHeaders(raw, { ...replaced, authorization: 'Bearer ours', apiKey: null }), [
    'accept',
    'b',
    'authorization',
    'Bearer ours',
  ])
})

t.test('credentials pass, are replaced, or are taken out', async (t) => {
  const raw = ['X-Goog-Api-Key', 'theirs', 'Authorization', 'Bearer theirs']
  t.same(upstreamHeaders(raw, untouched), raw)
  t.same(upstreamHeaders(raw, replaced), ['x-goog-api-key', 'ours'])
  t.same(upstreamHeaders(raw, { ...untouched, apiKey: 'moved' }), [
    'Authorization',
    'Bearer theirs',
    'x-goog-api-key',
    'moved',
  ])
  t.same(
    upstreamHeaders(raw, { ...replaced, strip: { apiKey: true, authorization: false } }),
    ['Authorization', 'Bearer theirs', 'x-goog-api-key', 'ours'],
    'an OAuth token beside the key belongs to the call',
  )
})

t.test('of several Authorization headers only the judged one goes up', async (t) => {
  t.same(upstreamHeaders(['authorization', 'Bearer first', 'Authorization', 'Bearer second'], untouched), [
    'authorization',
    'Bearer first',
  ])
})

t.test('a replaced credential never goes up, whatever stands around it', async () => {
  const name = fc.constantFrom(
    'x-goog-api-key',
    'X-GOOG-API-KEY',
    'Authorization',
    'authorization',
    'Connection',
    'accept',
    'x-castor-tags',
    'Cookie',
  )
  const value = fc.constantFrom('canary', 'Bearer canary', 'x-goog-api-key', 'authorization, accept', 'close')
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value)), (pairs) => {
      const out = upstreamHeaders(pairs.flat(), replaced)
      const credentials = out.filter(
        (text, index) => index % 2 === 0 && /^(?:x-goog-api-key|authorization)$/i.test(text),
      )
      return credentials.length === 1 && out.at(-1) === 'ours'
    }),
  )
})

t.test(
  'answers lose what is hop-by-hop, what advertises another way, cookies, and echoes of the request',
  async (t) => {
    for (const name of [
      'Connection',
      'keep-alive',
      'Transfer-Encoding',
      'TRAILER',
      'Upgrade',
      'Alt-Svc',
      'Set-Cookie',
      'x-goog-api-key',
      'X-Goog-Api-Key',
      'Authorization',
      'Cookie',
      'Host',
      'User-Agent',
    ])
      t.notOk(passesToClient(name), name)
    for (const name of [
      'Content-Type',
      'content-length',
      'Content-Encoding',
      'X-Goog-Upload-Status',
      'Retry-After',
      'Server-Timing',
      'x-gemini-service-tier',
      'Vary',
      'Location',
      'ETag',
    ])
      t.ok(passesToClient(name), name)
  },
)

t.test('the tables of names seen are bounded, and their answers do not depend on it', async (t) => {
  const names = Array.from({ length: 3000 }, (_, index) => `x-goog-${index}`)
  t.ok(names.every((name) => requestHeaderRule(name) === 'pass' && passesToClient(name)))
  t.equal(requestHeaderRule('X-Goog-Api-Key'), 'api-key')
  t.notOk(passesToClient('Set-Cookie'))
})
