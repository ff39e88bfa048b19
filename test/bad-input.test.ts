/** Whatever a client sends is refused in Gemini's own words, or passes when it is Gemini's to judge. */
import t from 'tap'
import { callRaw, gateway, gatewayTo, headerOf, until, upstream } from './helper.ts'
import { array, generate, nemesis, post, readError, request, stream, talk } from './nemesis.ts'

const ok = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}'

t.test('is refused before Gemini hears of it:', async (t) => {
  const peer = await upstream(t, () => ({ slices: [ok] }))
  const { url, app } = await gatewayTo(t, peer.url, 'limits: { body: 10KB, upload: 20KB, urlLength: 2KB }')

  const refused: [title: string, bytes: string, status: number, reason: string][] = [
    [
      'a body over the limit by its length',
      request(`POST ${generate}`, ['Content-Length: 10001']),
      413,
      'CASTOR_BODY_TOO_LARGE',
    ],
    [
      'a body over the limit in chunks',
      request(`POST ${generate}`, ['Transfer-Encoding: chunked'], `2711\r\n${'x'.repeat(10001)}\r\n`),
      413,
      'CASTOR_BODY_TOO_LARGE',
    ],
    [
      'an upload over the limit by its length',
      request('POST /upload/v1beta/files', ['Content-Length: 20001']),
      413,
      'CASTOR_BODY_TOO_LARGE',
    ],
    ['a method of WebDAV', request('PROPFIND /v1beta/models'), 405, 'CASTOR_METHOD_NOT_ALLOWED'],
    ['TRACE', request('TRACE /v1beta/models'), 405, 'CASTOR_METHOD_NOT_ALLOWED'],
    ['CONNECT', request('CONNECT generativelanguage.googleapis.com:443'), 405, 'CASTOR_METHOD_NOT_ALLOWED'],
    ['a method nobody knows', request('FETCH /v1beta/models'), 400, 'CASTOR_BAD_REQUEST'],
    ['OPTIONS *', request('OPTIONS *'), 400, 'CASTOR_BAD_REQUEST'],
    ['bad percent-encoding', request('GET /v1beta/%zz'), 400, 'CASTOR_BAD_REQUEST'],
    ['half a character in percent-encoding', request('GET /v1beta/models/%e2%82'), 400, 'CASTOR_BAD_REQUEST'],
    ['..', request('GET /v1beta/models/../files'), 400, 'CASTOR_BAD_REQUEST'],
    ['%2e%2e', request('GET /v1beta/%2e%2e/files'), 400, 'CASTOR_BAD_REQUEST'],
    ['.%2E', request('GET /v1beta/.%2E/files'), 400, 'CASTOR_BAD_REQUEST'],
    ['twice encoded dots', request('GET /v1beta/%252e%252e/files'), 400, 'CASTOR_BAD_REQUEST'],
    ['dots behind an encoded slash', request('GET /v1beta/x%2f..%2ffiles'), 400, 'CASTOR_BAD_REQUEST'],
    ['a backslash', request('GET /v1beta\\..\\files'), 400, 'CASTOR_BAD_REQUEST'],
    ['an encoded backslash', request('GET /v1beta/%5c..%5cfiles'), 400, 'CASTOR_BAD_REQUEST'],
    ['an encoded NUL', request('GET /v1beta/models/a%00b'), 400, 'CASTOR_BAD_REQUEST'],
    ['an encoded line break', request('GET /v1beta/models/a%0d%0aHost:%20evil'), 400, 'CASTOR_BAD_REQUEST'],
    ['a fragment', request('GET /v1beta/models#/files'), 400, 'CASTOR_BAD_REQUEST'],
    ['a target that begins with @', request('GET @evil.example/v1beta/models'), 400, 'CASTOR_BAD_REQUEST'],
    ['a byte beyond ASCII in the path', request('GET /v1beta/mod\xe9ls'), 400, 'CASTOR_BAD_REQUEST'],
    ['two Host headers', request('GET /v1beta/models', ['Host: evil.example']), 400, 'CASTOR_BAD_REQUEST'],
    ['no Host header', 'GET /v1beta/models HTTP/1.1\r\nx-goog-api-key: k\r\n\r\n', 400, 'CASTOR_BAD_REQUEST'],
    ['NUL in a header', request('GET /v1beta/models', ['x-goog-request-params: a\0b']), 400, 'CASTOR_BAD_REQUEST'],
    [
      'a lone CR in a header',
      request('GET /v1beta/models', ['x-goog-request-params: a\rb']),
      400,
      'CASTOR_BAD_REQUEST',
    ],
    ['a URL over the limit', request(`GET /v1beta/models?x=${'a'.repeat(2000)}`), 414, 'CASTOR_URL_TOO_LONG'],
    [
      'headers that are too large',
      request('GET /v1beta/models', [`x-goog-a: ${'a'.repeat(20_000)}`]),
      431,
      'CASTOR_HEADERS_TOO_LARGE',
    ],
    ['a request line that is too large', request(`GET /${'a'.repeat(20_000)}`), 431, 'CASTOR_HEADERS_TOO_LARGE'],
    ['tags that cannot be read', post(generate, '{}', ['x-castor-tags: team']), 400, 'CASTOR_BAD_HEADER'],
    ['an interaction that is no word', post(generate, '{}', ['x-castor-interaction: a b']), 400, 'CASTOR_BAD_HEADER'],
    [
      'a chunk of no size',
      request(`POST ${generate}`, ['Transfer-Encoding: chunked'], 'x\r\n\r\n'),
      400,
      'CASTOR_BAD_REQUEST',
    ],
    ['TLS on a plain port', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'CASTOR_BAD_REQUEST'],
    ['HTTP/2 without a word', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'CASTOR_BAD_REQUEST'],
    ['no key', 'GET /v1beta/models HTTP/1.1\r\nHost: gateway\r\n\r\n', 403, 'CASTOR_KEY_MISSING'],
    ['an empty key', request('GET /v1beta/models', ['x-goog-api-key:']), 403, 'CASTOR_KEY_MISSING'],
    ['no key, on a path of nobody', 'GET /wp-login.php HTTP/1.1\r\nHost: gateway\r\n\r\n', 403, 'CASTOR_KEY_MISSING'],
  ]
  for (const [title, bytes, status, reason] of refused) {
    t.test(title, async (t) => {
      const response = await callRaw(url, bytes).response
      t.match(readError(response), { status, code: status, reason })
      t.equal(headerOf(response.headers, 'connection'), 'close', 'the connection ends: what follows cannot be trusted')
    })
  }
  t.test('and leaves nothing behind', async (t) => {
    t.equal(peer.requests.length, 0)
    t.same(app.castor.load, { inFlight: 0, heldBodyBytes: 0 })
  })
})

t.test('passes, for it is Gemini’s to judge:', async (t) => {
  const peer = await upstream(t, () => ({ slices: [ok] }))
  const { url } = await gatewayTo(t, peer.url)
  const deep = '['.repeat(100_000)

  const passed: [title: string, bytes: string, line: string, body: string][] = [
    ['malformed JSON', post(generate, '{"contents":'), `POST ${generate}`, '{"contents":'],
    ['wrong types', post(generate, '{"contents":7}'), `POST ${generate}`, '{"contents":7}'],
    ['100 000 levels of JSON', post(generate, deep), `POST ${generate}`, deep],
    [
      '100 000 levels for the OpenAI surface',
      post('/v1beta/openai/chat/completions', `{"x":${deep}`),
      'POST /v1beta/openai/chat/completions',
      `{"x":${deep}`,
    ],
    [
      'a model of 100 000 levels',
      post('/v1beta/openai/embeddings', `{"model":${deep}`),
      'POST /v1beta/openai/embeddings',
      `{"model":${deep}`,
    ],
    [
      '__proto__',
      post(generate, '{"__proto__":{"a":1},"constructor":{"prototype":{}}}'),
      `POST ${generate}`,
      '{"__proto__":{"a":1},"constructor":{"prototype":{}}}',
    ],
    [
      'bytes that are no UTF-8',
      request(`POST ${generate}`, ['Content-Length: 2'], '\xff\xfe'),
      `POST ${generate}`,
      '\xff\xfe',
    ],
    ['a form', post(generate, 'a=b', ['Content-Type: application/x-www-form-urlencoded']), `POST ${generate}`, 'a=b'],
    ['no content-type', post(generate, '{}'), `POST ${generate}`, '{}'],
    ['a content-type of nonsense', post(generate, '{}', ['Content-Type: ;;\tjson']), `POST ${generate}`, '{}'],
    [
      'a content-type of nonsense on an upload',
      post('/upload/v1beta/files', '{}', ['Content-Type: ;']),
      'POST /upload/v1beta/files',
      '{}',
    ],
    [
      'file bytes called JSON',
      post('/upload/v1beta/files?upload_id=a', '\x01{', ['Content-Type: application/json']),
      'POST /upload/v1beta/files?upload_id=a',
      '\x01{',
    ],
    ['a POST without a body', request(`POST ${generate}`), `POST ${generate}`, ''],
    [
      'a POST of JSON without a body',
      request('POST /v1beta/batches/a:cancel', ['Content-Type: application/json', 'Content-Length: 0']),
      'POST /v1beta/batches/a:cancel',
      '',
    ],
    [
      'a DELETE of JSON without a body',
      request('DELETE /v1beta/files/a', ['Content-Type: application/json']),
      'DELETE /v1beta/files/a',
      '',
    ],
    [
      'a DELETE with a body',
      request('DELETE /v1beta/files/a', ['Content-Length: 2'], '{}'),
      'DELETE /v1beta/files/a',
      '{}',
    ],
    [
      'PATCH',
      request('PATCH /v1beta/cachedContents/a', ['Content-Length: 2'], '{}'),
      'PATCH /v1beta/cachedContents/a',
      '{}',
    ],
    [
      'PUT',
      request('PUT /upload/v1beta/files?upload_id=a', ['Content-Length: 2'], '{}'),
      'PUT /upload/v1beta/files?upload_id=a',
      '{}',
    ],
    ['OPTIONS', request('OPTIONS /v1beta/models'), 'OPTIONS /v1beta/models', ''],
    ['HEAD', request('HEAD /v1beta/models'), 'HEAD /v1beta/models', ''],
    [
      'a compressed body, which nobody here inflates',
      request(`POST ${generate}`, ['Content-Encoding: gzip', 'Content-Length: 3'], '\x1f\x8b\x08'),
      `POST ${generate}`,
      '\x1f\x8b\x08',
    ],
    [
      'bytes beyond ASCII in a header',
      request('GET /v1beta/models', ['x-goog-request-params: caf\xe9']),
      'GET /v1beta/models',
      '',
    ],
    ['GET of a model call', request(`GET ${generate}`), `GET ${generate}`, ''],
    [
      'an unknown verb',
      post('/v1beta/models/gemini-2.5-flash:sing', '{}'),
      'POST /v1beta/models/gemini-2.5-flash:sing',
      '{}',
    ],
    ['an unknown path', request('GET /v9/songs/1'), 'GET /v9/songs/1', ''],
    [
      'bad percent-encoding in the query',
      request('GET /v1beta/models?filter=%zz&x=%'),
      'GET /v1beta/models?filter=%zz&x=%',
      '',
    ],
    [
      'an encoded colon',
      post('/v1beta/models/gemini-2.5-flash%3AgenerateContent', '{}'),
      'POST /v1beta/models/gemini-2.5-flash%3AgenerateContent',
      '{}',
    ],
    ['an encoded slash', request('GET /v1beta/models%2Fgemini-2.5-flash'), 'GET /v1beta/models%2Fgemini-2.5-flash', ''],
    ['dots within a name', request('GET /v1beta/models/gemini-..x'), 'GET /v1beta/models/gemini-..x', ''],
    ['two slashes, as SDKs produce them', request('GET //v1beta/models'), 'GET /v1beta/models', ''],
    [
      'a host behind two slashes, as a path',
      request('GET //evil.example/v1beta/models'),
      'GET /evil.example/v1beta/models',
      '',
    ],
    [
      'an absolute URL, whose host counts for nothing',
      request('GET http://evil.example:81/v1beta/models?a=b'),
      'GET /v1beta/models?a=b',
      '',
    ],
    ['an absolute URL of a model call', post(`http://evil.example${generate}`, '{}'), `POST ${generate}`, '{}'],
    ['an @ in the path', request('GET /@evil.example/v1beta/models'), 'GET /@evil.example/v1beta/models', ''],
    [
      'another Host',
      'GET /v1beta/models HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nx-goog-api-key: k\r\n\r\n',
      'GET /v1beta/models',
      '',
    ],
    ['HTTP/1.0', 'GET /v1beta/models HTTP/1.0\r\nx-goog-api-key: k\r\n\r\n', 'GET /v1beta/models', ''],
    [
      'Upgrade: h2c, which curl sends',
      request('GET /v1beta/models', [
        'Connection: Upgrade, HTTP2-Settings',
        'Upgrade: h2c',
        'HTTP2-Settings: AAMAAABk',
      ]),
      'GET /v1beta/models',
      '',
    ],
    [
      'an upgrade to a websocket where there is none',
      request('GET /v1beta/models', ['Connection: Upgrade', 'Upgrade: websocket']),
      'GET /v1beta/models',
      '',
    ],
    ['an expectation nobody knows', post(generate, '{}', ['Expect: a-miracle']), `POST ${generate}`, '{}'],
  ]
  for (const [title, bytes, line, body] of passed) {
    t.test(title, async (t) => {
      const before = peer.requests.length
      const response = await callRaw(url, Buffer.from(bytes, 'latin1')).response
      t.equal(response.status, 200, response.body.toString())
      const seen = peer.requests.slice(before)
      t.equal(seen.length, 1)
      t.equal(`${seen[0]?.method} ${seen[0]?.url}`, line)
      t.equal(seen[0]?.body.toString('latin1'), body)
      t.equal(headerOf(seen[0]?.headers ?? [], 'host'), new URL(peer.url).host, 'only the settings name the upstream')
    })
  }
})

t.test('errors wear the shape that the surface’s clients read', async (t) => {
  const { url } = await gatewayTo(t, 'http://127.0.0.1:9')
  const send = async (path: string) => {
    const body = '{}'
    const bytes = `POST ${path} HTTP/1.1\r\nHost: gateway\r\nContent-Length: 2\r\n\r\n${body}`
    return JSON.parse((await callRaw(url, bytes).response).body.toString())
  }
  t.match(await send(generate), { error: { code: 403, status: 'PERMISSION_DENIED' } })
  t.match(await send(stream), { error: { code: 403 } }, 'an SSE call fails with the plain object, as with Gemini')
  t.match(await send(array), [{ error: { code: 403, details: [{ reason: 'CASTOR_KEY_MISSING' }] } }])
  t.same(Object.keys((await send('/v1beta/openai/chat/completions')).error), ['message', 'type', 'code', 'param'])
  t.match(await send('/v1beta/openai/embeddings'), {
    error: { type: 'invalid_request_error', code: 'CASTOR_KEY_MISSING' },
  })
  t.match(await send('/v1beta/interactions'), { error: { code: 403, status: 'PERMISSION_DENIED' } })
})

t.test('a client that asks first is told to go on, or spared its body', async (t) => {
  const peer = await upstream(t, () => ({ slices: [ok] }))
  const { url } = await gatewayTo(t, peer.url, 'limits: { body: 1KB, upload: 1KB }')
  const ask = (line: string, length: number, key = 'x-goog-api-key: k') =>
    talk(url, [
      request(line, [key, 'Expect: 100-continue', `Content-Length: ${length}`]),
      'x'.repeat(Math.min(length, 5)),
    ])

  for (const line of [`POST ${generate}`, 'POST /upload/v1beta/files']) {
    t.match((await ask(line, 5)).text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
    t.match((await ask(line, 1001)).text, /^HTTP\/1\.1 413 /, 'too large: no 100 before the refusal')
    t.match((await ask(line, 5, 'x-goog-api-key:')).text, /^HTTP\/1\.1 403 /, 'no key: no 100 before the refusal')
  }
  t.equal(peer.requests.length, 2)
})

t.test('a body without a length is cut off at the limit of uploads', async (t) => {
  const peer = await nemesis(t, () => {})
  const { url, app } = await gatewayTo(t, peer.url, 'limits: { upload: 20KB }')
  const piece = `2000\r\n${'x'.repeat(8192)}\r\n`
  const response = await callRaw(
    url,
    request('POST /upload/v1beta/files', ['Transfer-Encoding: chunked'], piece.repeat(3)),
  ).response
  t.match(readError(response), { status: 413, reason: 'CASTOR_BODY_TOO_LARGE' })
  await until(() => peer.open === 0, 1000, 'the end of the call upstream')
  t.notMatch(peer.received.join(''), /\r\n0\r\n/, 'Gemini is not told that the upload was whole')
  t.equal(app.castor.load.inFlight, 0)
})

t.test('slow headers are given up', async (t) => {
  const { url } = await gatewayTo(t, 'http://127.0.0.1:9', 'server: { headersTimeout: 1s }')
  const { text } = await talk(url, 'GET /v1beta/models HTTP/1.1\r\nHost: gate', 4000)
  t.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n/)
  t.match(text, /"reason": "CASTOR_BODY_TIMEOUT"/)
})

t.test('a slow body is given up, for a model call and for an upload', async (t) => {
  const peer = await nemesis(t, () => {})
  const { url, app } = await gatewayTo(t, peer.url, 'limits: { bodyIdle: 1s }')
  const begun = (line: string) => callRaw(url, request(line, ['Content-Length: 100'], 'some'), 4000).response
  const [call, upload] = await Promise.all([begun(`POST ${generate}`), begun('POST /upload/v1beta/files')])
  t.match(readError(call), { status: 408, name: 'DEADLINE_EXCEEDED', reason: 'CASTOR_BODY_TIMEOUT' })
  t.match(readError(upload), { status: 408, reason: 'CASTOR_BODY_TIMEOUT' })
  await until(() => peer.open === 0, 1000, 'the end of the upload upstream')
  t.same(app.castor.load, { inFlight: 0, heldBodyBytes: 0 })
})

t.test('a client that closes before its body is whole takes nothing with it', async (t) => {
  const peer = await nemesis(t, () => {})
  const { url, app } = await gatewayTo(t, peer.url)
  for (const line of [`POST ${generate}`, 'POST /upload/v1beta/files']) {
    const call = callRaw(url, request(line, ['Content-Length: 100'], 'some'))
    await until(() => app.castor.load.inFlight === 1, 1000, 'the request in progress')
    call.leave()
    await until(() => app.castor.load.inFlight === 0, 1000, 'its end')
  }
  t.same(app.castor.load, { inFlight: 0, heldBodyBytes: 0 })
  await until(() => peer.open === 0, 1000, 'the end of the upload upstream')
  t.equal(peer.received.filter((text) => text.includes(generate)).length, 0, 'half a model call is never sent')
})

t.test('a refusal of a body still on its way reaches a client that only reads afterwards', async (t) => {
  const { url } = await gateway(t, 'limits: { body: 1MB }')
  for (const body of ['x'.repeat(3_000_000), new Blob(['x'.repeat(3_000_000)]).stream()]) {
    const response = await fetch(url + generate, {
      method: 'POST',
      headers: { 'x-goog-api-key': 'k' },
      body,
      duplex: 'half',
    })
    t.equal(response.status, 413)
    t.match(await response.json(), { error: { status: 'INVALID_ARGUMENT' } })
  }
})
