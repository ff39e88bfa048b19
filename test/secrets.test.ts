/** A key is in no log line, figure, error, header or file, in whatever place it came and whatever went wrong. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { issueKey } from '../src/auth/issued.ts'
import { callRaw, type Gateway, gateway, gatewayTo, headerOf, upstream } from './helper.ts'
import { deadOrigin, nemesis, talk } from './nemesis.ts'

const canary = 'AIzaSyCANARY_canary-0123456789abcdefghij'
const seen = /CANARY/i

const question = JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'hello' }] }] })
const chat = JSON.stringify({ model: 'gemini-2.5-flash', messages: [{ role: 'user', content: 'hello' }] })
const websocket =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
const live = '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent'

/** Every kind of traffic: method, path and body. */
const kinds: [method: string, path: string, body: string, headers?: string][] = [
  ['POST', '/v1beta/models/gemini-2.5-flash:generateContent', question],
  ['POST', '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse', question],
  ['POST', '/v1beta/models/gemini-2.5-flash:streamGenerateContent', question],
  ['POST', '/v1beta/models/gemini-2.5-flash:countTokens', question],
  ['POST', '/v1beta/openai/chat/completions', chat],
  ['POST', '/v1beta/interactions', JSON.stringify({ model: 'gemini-2.5-flash', input: 'hello' })],
  ['GET', '/v1beta/models', ''],
  ['DELETE', '/v1beta/files/none', ''],
  ['POST', '/upload/v1beta/files', '{}', 'X-Goog-Upload-Protocol: resumable\r\nX-Goog-Upload-Command: start'],
  ['POST', '/upload/v1beta/files?upload_id=none', 'bytes'],
  ['POST', '/v1alpha/auth_tokens', '{}'],
  ['GET', live, '', websocket],
  ['PROPFIND', '/v1beta/models', ''],
  ['GET', '/v1beta/../models', ''],
  ['GET', '/v1beta/%zz', ''],
]

/** Every place a key can be put in, rightly or wrongly. */
const places: Record<string, (path: string, key: string) => [path: string, headers: string[]]> = {
  header: (path, key) => [path, [`x-goog-api-key: ${key}`]],
  query: (path, key) => [`${path}${path.includes('?') ? '&' : '?'}key=${key}`, []],
  bearer: (path, key) => [path, [`Authorization: Bearer ${key}`]],
  both: (path, key) => [path, [`x-goog-api-key: ${key}`, `Authorization: Bearer ${key}`]],
  access_token: (path, key) => [`${path}${path.includes('?') ? '&' : '?'}access_token=${key}`, []],
  'a token': (path, key) => [path, [`Authorization: Token ${key}`]],
  'a wrong scheme': (path, key) => [path, [`Authorization: Basic ${key}`]],
  'a wrong parameter': (path, key) => [`${path}${path.includes('?') ? '&' : '?'}api_key=${key}`, ['x-goog-api-key: k']],
  'the model': (path, key) => [path.replace('gemini-2.5-flash', key), ['x-goog-api-key: k']],
  'a file name': (path, key) => [path.replace('none', key), ['x-goog-api-key: k']],
  'a path of its own': (_path, key) => [`/${key}/${key}:${key}`, ['x-goog-api-key: k']],
  tags: (path, key) => [path, ['x-goog-api-key: k', `x-castor-tags: team=${key}`]],
  'tags that cannot be read': (path, key) => [path, ['x-goog-api-key: k', `x-castor-tags: ${key}`]],
  'the interaction': (path, key) => [path, ['x-goog-api-key: k', `x-castor-interaction: ${key}`]],
  'cookies and others': (path, key) => [
    path,
    ['x-goog-api-key: k', `Cookie: key=${key}`, `Referer: http://a/?key=${key}`, `User-Agent: ${key}`],
  ],
  'the host': (path, key) => [path, ['x-goog-api-key: k', `X-Forwarded-Host: ${key}`]],
}

/** Sends every kind of traffic with the key in every place; returns the heads of all answers, and whole answers of ours. */
async function sendAll(url: string, key = canary): Promise<string> {
  const heads: string[] = []
  const all = Object.values(places).flatMap((place) => kinds.map((kind) => [place, kind] as const))
  await Promise.all(
    all.map(async ([place, [method, plain, body, extra = 'Accept: */*']]) => {
      const [path, headers] = place(plain, key)
      const ending = extra === websocket ? [] : ['Connection: close']
      const lines = [`${method} ${path} HTTP/1.1`, 'Host: gateway', ...headers, extra, ...ending]
      const bytes = `${lines.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
      const { text } = await talk(url, bytes, extra === websocket ? 500 : 10_000)
      heads.push(/"domain": "castor"|CASTOR_/.test(text) ? text : (text.split('\r\n\r\n')[0] ?? ''))
    }),
  )
  return heads.join('\n')
}

/** Everything that a gateway shows or keeps. */
async function trace(gateway: Gateway): Promise<Record<string, string>> {
  const read = async (path: string) => (await fetch(gateway.url + path)).text()
  const files = readdirSync(gateway.dataDir, { recursive: true, encoding: 'utf8' }).map((name) =>
    join(gateway.dataDir, name),
  )
  return {
    log: JSON.stringify(gateway.log),
    figures: await read('/metrics'),
    status: await read('/api/ai-engine/optimization/status/'),
    config: await read('/api/ai-engine/optimization/config/'),
    files: files
      .filter((file) => statSync(file).isFile())
      .map((file) => readFileSync(file, 'latin1'))
      .join('\n'),
  }
}

async function neverThere(t: Test, gateway: Gateway, answers: string, pattern = seen): Promise<void> {
  t.notMatch(answers, pattern, 'answers')
  for (const [where, text] of Object.entries(await trace(gateway))) t.notMatch(text, pattern, where)
  t.ok(gateway.log.length > 0)
}

t.test('when all goes well', async (t) => {
  const one = await gateway(t, 'log: { level: trace }')
  await neverThere(t, one, await sendAll(one.url))
})

t.test('when there is no upstream', async (t) => {
  const one = await gatewayTo(t, await deadOrigin(), 'log: { level: trace }')
  await neverThere(t, one, await sendAll(one.url))
})

t.test('when Gemini breaks off, in every way', async (t) => {
  let turn = 0
  const endings = [
    '',
    'HTTP/1.1 200 OK\r\ncontent-le',
    'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{',
    'nonsense',
    'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndata\r\nzz',
  ]
  const peer = await nemesis(t, (socket) => void socket.end(endings[turn++ % endings.length] ?? ''))
  const one = await gatewayTo(t, peer.url, 'log: { level: trace }')
  await neverThere(t, one, await sendAll(one.url))
})

t.test('when Gemini says everything back', async (t) => {
  const peer = await upstream(t, ({ headers, url }) => {
    const echoes = headers
      .filter(([name]) => !/^(?:host|content-length|connection|referer|user-agent|x-goog-user)/i.test(name))
      .map(([name, value]) => `${name}: ${value}\r\n`)
    const body = JSON.stringify({ error: { message: `${url} ${JSON.stringify(headers)}` } })
    return { slices: [`HTTP/1.1 400 Bad Request\r\n${echoes.join('')}content-length: ${body.length}\r\n\r\n${body}`] }
  })
  const one = await gatewayTo(t, peer.url, 'log: { level: trace }')
  await neverThere(t, one, await sendAll(one.url))
})

t.test('of issued keys, theirs and ours', async (t) => {
  const crm = issueKey()
  const settings = `
    log: { level: trace }
    auth: { upstreamKey: ${canary}, secret: CANARY-OF-THE-HOUSE }
    admin: { token: "" }
    clients: [{ name: crm, keyHash: ["${crm.keyHash}"] }]`
  const peer = await upstream(t, ({ headers }) => {
    const key = headerOf(headers, 'x-goog-api-key') ?? headerOf(headers, 'authorization') ?? ''
    const google = 'https://generativelanguage.googleapis.com/upload/v1beta/files'
    const lines = [
      `x-goog-api-key: ${key}`,
      `x-debug: ${key}`,
      `x-goog-upload-url: ${google}?key=${key}&upload_id=a`,
      `x-goog-upload-control-url: ${google}?upload_id=a&key=${key}`,
      `location: ${google}?key=${key}`,
    ]
    return { slices: [`HTTP/1.1 200 OK\r\n${lines.join('\r\n')}\r\ncontent-length: 2\r\n\r\n{}`] }
  })
  const one = await gatewayTo(t, peer.url, settings)
  const answers = await sendAll(one.url, crm.key)
  t.ok(peer.requests.length > 30, 'the right places were let in')
  t.notMatch(
    JSON.stringify(peer.requests.map(({ start, headers }) => [start, headers])),
    crm.key,
    'a key of ours never goes up',
  )
  await neverThere(t, one, answers)
  const own = new RegExp(crm.key)
  t.notMatch(answers, own, 'answers')
  for (const [where, text] of Object.entries(await trace(one))) t.notMatch(text, own, where)
})

t.test('a model that is none is not repeated, nor does it forge a line of the log', async (t) => {
  const peer = await upstream(t, () => ({ slices: ['HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'] }))
  const one = await gatewayTo(t, peer.url)
  const names = ['a%0A%7B%22FORGED%22:50%7D', '%1b%5b31mFORGED', 'FORGED'.repeat(100), 'AIzaFORGED', '%22FORGED%7d']
  const statuses: number[] = []
  for (const name of names) {
    const path = `/v1beta/models/${name}:generateContent`
    const bytes = `POST ${path} HTTP/1.1\r\nHost: a\r\nx-goog-api-key: k\r\nContent-Length: 2\r\n\r\n{}`
    statuses.push((await callRaw(one.url, bytes).response).status)
  }
  t.same(statuses, [400, 400, 200, 200, 200], 'control characters are refused, the rest is Gemini’s to judge')
  t.notMatch(JSON.stringify(one.log), 'FORGED')
  t.notMatch(await one.app.castor.metrics.registry.metrics(), 'FORGED')
})
