/** Resumable uploads: the second step comes without a key from most SDKs, so the address of the first answer proves who began it. */
import t from 'tap'
import { issueKey } from '../src/auth/issued.ts'
import { callRaw, type Gateway, gateway, gatewayTo, headerOf, message, upstream } from './helper.ts'
import { readError } from './nemesis.ts'

const crm = issueKey()
const web = issueKey()
const secret = '{ secret: one-secret-for-all-replicas, upstreamKey: UPSTREAM }'
const clients = `[{ name: crm, keyHash: ["${crm.keyHash}"] }, { name: web, keyHash: ["${web.keyHash}"] }]`
const issued = `auth: ${secret}\nclients: ${clients}`
const metadata = JSON.stringify({ file: { display_name: 'notes.txt' } })

/** Begins an upload and returns the address that the client is told to go on at. */
async function begin(url: string, key: string, headers: [string, string][] = []): Promise<string> {
  const response = await callRaw(
    url,
    message(
      'POST /upload/v1beta/files HTTP/1.1',
      [
        ['Host', new URL(url).host],
        ['x-goog-api-key', key],
        ['X-Goog-Upload-Protocol', 'resumable'],
        ['X-Goog-Upload-Command', 'start'],
        ['X-Goog-Upload-Header-Content-Length', '5'],
        ['X-Goog-Upload-Header-Content-Type', 'text/plain'],
        ['Content-Type', 'application/json'],
        ['Content-Length', String(metadata.length)],
        ...headers,
      ],
      metadata,
    ),
  ).response
  return headerOf(response.headers, 'x-goog-upload-url') ?? `none: ${response.body}`
}

/** Sends the bytes, with these headers and no others that tell who it is. */
async function finish(address: string, headers: [string, string][] = []) {
  const { pathname, search, host, origin } = new URL(address)
  return callRaw(
    origin,
    message(
      `POST ${pathname}${search} HTTP/1.1`,
      [
        ['Host', host],
        ['X-Goog-Upload-Command', 'upload, finalize'],
        ['X-Goog-Upload-Offset', '0'],
        ['Content-Length', '5'],
        ...headers,
      ],
      'hello',
    ),
  ).response
}

t.test('goes on without a key, at the gateway’s own address', async (t) => {
  for (const [settings, key] of [
    ['', 'K'],
    [issued, crm.key],
  ] as const) {
    const { url, emulator } = await gateway(t, settings)
    const address = await begin(url, key)
    t.ok(address.startsWith(`${url}/upload/v1beta/files?`), address)
    t.notMatch(address, /UPSTREAM|castor-|[?&]key=/)
    const response = await finish(address)
    t.equal(response.status, 200)
    t.equal(headerOf(response.headers, 'x-goog-upload-status'), 'final')
    t.match(JSON.parse(response.body.toString()), { file: { displayName: 'notes.txt', sizeBytes: '5' } })
    t.notMatch(emulator.calls.map(({ url }) => url).join(), 'castor_upload', 'Gemini sees no parameter of ours')
  }
})

t.test('a caller’s key in the address of the first step is in none of the second', async (t) => {
  const { url } = await gateway(t)
  const start = { 'X-Goog-Upload-Protocol': 'resumable', 'X-Goog-Upload-Command': 'start' }
  const response = await fetch(`${url}/upload/v1beta/files?key=CANARY`, {
    method: 'POST',
    headers: start,
    body: metadata,
  })
  const address = response.headers.get('x-goog-upload-url') ?? ''
  t.match(address, `${url}/upload/v1beta/files?`)
  t.notMatch(JSON.stringify([...response.headers]), 'CANARY')
  t.equal((await finish(address)).status, 200)
})

t.test('goes on at another replica that shares the secret, and at no other house', async (t) => {
  const one = await gateway(t, issued)
  const two = await gatewayTo(t, one.emulator.url, issued)
  const stranger = await gatewayTo(t, one.emulator.url, issued.replace('one-secret', 'another-secret'))
  const at = (replica: Gateway, address: string) => address.replace(one.url, replica.url)
  t.equal((await finish(at(two, await begin(one.url, crm.key)))).status, 200)
  t.match(readError(await finish(at(stranger, await begin(one.url, crm.key)))), {
    status: 403,
    reason: 'CASTOR_UPLOAD_UNKNOWN',
  })
})

t.test('is refused:', async (t) => {
  const { url, emulator, app } = await gateway(t, issued)
  const address = await begin(url, crm.key)
  const asked = emulator.count()
  const edit = (change: (query: URLSearchParams) => void): string => {
    const edited = new URL(address)
    change(edited.searchParams)
    return edited.href
  }
  const proof = new URL(address).searchParams.get('castor_upload') ?? ''
  const refused: [title: string, address: string, headers: [string, string][]][] = [
    ['without a proof', edit((query) => query.delete('castor_upload')), []],
    ['with a proof of one letter more', edit((query) => query.set('castor_upload', `${proof}A`)), []],
    ['with a proof that was cut', edit((query) => query.set('castor_upload', proof.slice(0, -4))), []],
    ['with the proof of another upload', edit((query) => query.set('upload_id', 'other')), []],
    ['with another client’s key', address, [['x-goog-api-key', web.key]]],
  ]
  for (const [title, where, headers] of refused) {
    t.test(title, async (t) => {
      t.match(readError(await finish(where, headers)), {
        status: 403,
        name: 'PERMISSION_DENIED',
        reason: 'CASTOR_UPLOAD_UNKNOWN',
      })
    })
  }
  t.test('when the client has been taken out of the settings', async (t) => {
    const { settings } = app.castor
    const before = settings.current
    settings.replace({ ...before, clients: before.clients.slice(1) })
    t.match(readError(await finish(address)), { status: 403, reason: 'CASTOR_UPLOAD_UNKNOWN' })
    settings.replace(before)
  })
  t.test('and Gemini hears of none of it, while the owner goes on', async (t) => {
    t.equal(emulator.count(), asked)
    t.equal((await finish(address, [['x-goog-api-key', crm.key]])).status, 200)
  })
})

t.test('addresses are those by which clients reach the gateway:', async (t) => {
  const via: [title: string, settings: string, headers: [string, string][], expected: (url: string) => string][] = [
    [
      'server.publicUrl',
      'server: { publicUrl: "https://ai.example.com/gemini" }',
      [],
      () => 'https://ai.example.com/gemini/upload/v1beta/files?',
    ],
    [
      'a trusted proxy’s X-Forwarded-*',
      'server: { trustProxy: [127.0.0.1] }',
      [
        ['X-Forwarded-Host', 'ai.example.com'],
        ['X-Forwarded-Proto', 'https'],
        ['X-Forwarded-Prefix', '/gemini/'],
        ['X-Forwarded-For', '203.0.113.9'],
      ],
      () => 'https://ai.example.com/gemini/upload/v1beta/files?',
    ],
    [
      'never a stranger’s X-Forwarded-*',
      '',
      [
        ['X-Forwarded-Host', 'evil.example'],
        ['X-Forwarded-Proto', 'https'],
        ['X-Forwarded-Prefix', '/evil'],
      ],
      (url) => `${url}/upload/v1beta/files?`,
    ],
    [
      'nor that of a proxy that is not on the list',
      'server: { trustProxy: [10.0.0.0/8] }',
      [
        ['X-Forwarded-Host', 'evil.example'],
        ['X-Forwarded-Prefix', '/evil'],
        ['X-Forwarded-For', '203.0.113.9'],
      ],
      (url) => `${url}/upload/v1beta/files?`,
    ],
    [
      'nor a prefix that is none',
      'server: { trustProxy: true }',
      [
        ['X-Forwarded-Prefix', '//evil.example'],
        ['X-Forwarded-For', '203.0.113.9'],
      ],
      (url) => `${url}/upload/v1beta/files?`,
    ],
  ]
  for (const [title, settings, headers, expected] of via) {
    t.test(title, async (t) => {
      const { url } = await gateway(t, settings)
      const address = await begin(url, 'K', headers)
      t.ok(address.startsWith(expected(url)), address)
    })
  }
  t.test('server.basePath, with and without it in the request', async (t) => {
    const { url, app } = await gateway(t, 'server: { basePath: /gemini }')
    const bare = url.replace('/gemini', '')
    const address = await begin(bare, 'K')
    t.ok(address.startsWith(`${url}/upload/v1beta/files?`), address)
    t.equal((await finish(address)).status, 200)
    t.equal((await finish(`${bare}/upload/v1beta/files${new URL(await begin(bare, 'K')).search}`)).status, 200)
    t.equal(app.castor.load.inFlight, 0)
  })
})

t.test('every address that Gemini names comes back to the gateway, and echoes of the key stay behind', async (t) => {
  const google = 'https://generativelanguage.googleapis.com'
  const lines = [
    'HTTP/1.1 302 Found',
    `x-goog-upload-url: ${google}/upload/v1beta/files?key=CANARY&upload_id=u1&upload_protocol=resumable`,
    `x-goog-upload-control-url: ${google}/upload/v1beta/files?upload_id=u1&key=CANARY`,
    `location: ${google}/download/v1beta/files/a:download?alt=media&key=CANARY`,
    'x-goog-api-key: CANARY',
    'authorization: Bearer CANARY',
    'set-cookie: a=CANARY',
    'content-length: 0',
  ]
  const peer = await upstream(t, () => ({ slices: [`${lines.join('\r\n')}\r\n\r\n`] }))
  const { url } = await gatewayTo(t, peer.url)
  const options = { headers: { 'x-goog-api-key': 'CANARY' }, redirect: 'manual' } as const
  const { status, headers } = await fetch(`${url}/v1beta/files/a:download?alt=media`, options)
  t.equal(status, 302)
  t.notMatch(JSON.stringify([...headers]), 'CANARY')
  for (const name of ['x-goog-upload-url', 'x-goog-upload-control-url']) {
    t.ok(headers.get(name)?.startsWith(`${url}/upload/v1beta/files?`), name)
    t.match(headers.get(name), /[?&]castor_upload=/)
  }
  t.equal(headers.get('location'), `${url}/download/v1beta/files/a:download?alt=media`)
})
