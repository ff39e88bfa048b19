import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { loadConfig } from '../config/load.ts'
import { resolveAuthMode } from '../config/mode.ts'
import { createAuthenticator, type MintedTokens } from '../src/auth/caller.ts'
import { hashKey, issuedKeyPrefix, issueKey, sameHash } from '../src/auth/issued.ts'
import { isLocalRequest } from '../src/auth/local.ts'
import { deriveKey, keyedHash, loadSecret } from '../src/auth/secret.ts'
import { readUploadProof, writeUploadProof } from '../src/auth/upload-proof.ts'
import type { GatewayError } from '../src/gemini/errors.ts'
import { upstreamHeaders } from '../src/gemini/headers.ts'
import { readTarget } from '../src/gemini/target.ts'
import { gateway, gatewayTo, headerOf, upstream } from './helper.ts'
import { generate } from './nemesis.ts'

const crm = issueKey()
const web = issueKey()
const issued = {
  auth: { upstreamKey: 'UPSTREAM' },
  clients: [
    { name: 'crm', keyHash: [crm.keyHash], upstreamKey: 'UPSTREAM-OF-CRM', tags: { team: 'sales' } },
    { name: 'web', keyHash: [web.keyHash] },
  ],
}
const shared = { auth: { upstreamKey: 'UPSTREAM' } }

function authenticator(settings: object, secret = 'secret', tokens: MintedTokens = new Map()) {
  const config = loadConfig({ text: JSON.stringify(settings), env: {} })
  return createAuthenticator(config, resolveAuthMode(config), secret, tokens)
}

/** Who a request is from, and which credential headers and query go up. */
function ask(settings: object, headers: Record<string, string | undefined>, url = generate, method = 'POST') {
  const target = readTarget(method, url)
  const { caller, outgoing } = authenticator(settings).authenticate(headers, target, method)
  const raw = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [name, value]))
  return { caller, sent: upstreamHeaders(raw, outgoing), search: target.search }
}

/** Asserts that a request is refused for the given reason. */
function refused(t: Test, act: () => unknown, reason: string, message = reason): void {
  try {
    act()
    t.fail(message)
  } catch (error) {
    t.equal((error as GatewayError).reason, reason, message)
  }
}

t.test('passthrough: the client’s own key goes up', async (t) => {
  t.same(ask({}, { 'x-goog-api-key': 'K' }).sent, ['x-goog-api-key', 'K'])
  t.same(ask({}, { authorization: 'Bearer K' }, '/v1beta/openai/chat/completions').sent, ['authorization', 'Bearer K'])
  t.match(
    ask({}, {}, `${generate}?key=K&alt=sse`),
    { sent: ['x-goog-api-key', 'K'], search: '?alt=sse' },
    'moved out of the URL',
  )
  t.same(
    ask({}, { 'x-goog-api-key': '' }, `${generate}?key=K`).sent,
    ['x-goog-api-key', 'K'],
    'an empty header is none',
  )
  const both = { 'x-goog-api-key': 'K', authorization: 'Bearer ya29.token' }
  t.same(ask({}, both, '/v1beta/files:register').sent, ['x-goog-api-key', 'K', 'authorization', 'Bearer ya29.token'])
  t.equal(ask({}, { 'x-goog-api-key': 'K' }).caller.upstreamKey, null)
})

t.test('one key is one tenant, wherever it stands; another key is another', async (t) => {
  const tenants = [
    ask({}, { 'x-goog-api-key': 'K' }),
    ask({}, {}, `${generate}?key=K`),
    ask({}, { authorization: 'Bearer K' }),
    ask({}, { authorization: 'bearer   K ' }),
  ].map(({ caller }) => caller.tenant)
  t.equal(new Set(tenants).size, 1)
  t.match(tenants[0], /^[0-9a-f]{32}$/)
  t.not(ask({}, { 'x-goog-api-key': 'k' }).caller.tenant, tenants[0])
  t.not(
    authenticator({}, 'other').authenticate({ 'x-goog-api-key': 'K' }, readTarget('POST', generate), 'POST').caller
      .tenant,
    tenants[0],
    'of another house',
  )
})

t.test('issued: a key of the gateway stands for one of Gemini', async (t) => {
  for (const headers of [{ 'x-goog-api-key': crm.key }, { authorization: `Bearer ${crm.key}` }]) {
    const { caller, sent } = ask(issued, headers)
    t.match(caller, { client: 'crm', keyId: 'crm', tags: { team: 'sales' } })
    t.same(sent, ['x-goog-api-key', 'UPSTREAM-OF-CRM'])
  }
  t.match(ask(issued, {}, `${generate}?key=${crm.key}`), { sent: ['x-goog-api-key', 'UPSTREAM-OF-CRM'], search: '' })
  t.same(
    ask(issued, { 'x-goog-api-key': web.key }).sent,
    ['x-goog-api-key', 'UPSTREAM'],
    'the gateway’s own where the client has none',
  )
  t.same(ask(issued, { authorization: `Bearer ${crm.key}` }, '/v1beta/openai/embeddings').sent, [
    'authorization',
    'Bearer UPSTREAM-OF-CRM',
  ])
  t.same(ask(issued, { 'x-goog-api-key': crm.key }, '/v1beta/openai/embeddings').sent, [
    'authorization',
    'Bearer UPSTREAM-OF-CRM',
  ])
})

t.test('issued: nobody else is let in', async (t) => {
  const unknown = 'CASTOR_KEY_UNKNOWN'
  for (const key of [
    'AIzaSomeGeminiKey',
    crm.keyHash,
    crm.key.slice(0, -1),
    `${crm.key}x`,
    crm.key.toUpperCase(),
    `${crm.key}, ${web.key}`,
  ])
    refused(t, () => ask(issued, { 'x-goog-api-key': key }), unknown, key)
  refused(
    t,
    () => ask(issued, {}, `${generate}?access_token=${crm.key}`),
    unknown,
    'a key where a token belongs would go up',
  )
  refused(t, () => ask(issued, { authorization: `Token ${crm.key}` }), unknown)
  refused(t, () => ask(issued, {}, '/ws/x?access_token=auth_tokens/strange'), unknown)
  refused(t, () => ask(issued, {}), 'CASTOR_KEY_MISSING')
  refused(t, () => ask(issued, { authorization: 'Basic Y2FzdG9y' }), 'CASTOR_KEY_MISSING')
})

t.test('issued: a key of the gateway goes up nowhere', async (t) => {
  const stray = { 'x-goog-api-key': crm.key, authorization: `Bearer ${web.key}` }
  t.same(ask(issued, stray).sent, ['x-goog-api-key', 'UPSTREAM-OF-CRM'], 'nor another client’s')
  const oauth = { 'x-goog-api-key': crm.key, authorization: 'Bearer ya29.token' }
  t.same(ask(issued, oauth).sent, ['authorization', 'Bearer ya29.token', 'x-goog-api-key', 'UPSTREAM-OF-CRM'])
  const misplaced = 'CASTOR_KEY_MISPLACED'
  const headers = { 'x-goog-api-key': crm.key }
  for (const url of [
    `${generate}?api_key=${crm.key}`,
    `${generate}?access_token=${crm.key}`,
    `/v1beta/files/${crm.key}`,
  ])
    refused(t, () => ask(issued, headers, url), misplaced, url)
})

t.test('shared: no key is asked for, and the gateway’s own goes up', async (t) => {
  for (const headers of [{}, { 'x-goog-api-key': 'anything' }, { authorization: 'Bearer anything' }])
    t.same(ask(shared, headers).sent, ['x-goog-api-key', 'UPSTREAM'])
  t.same(ask(shared, { authorization: 'Bearer anything' }, '/v1beta/openai/embeddings').sent, [
    'authorization',
    'Bearer UPSTREAM',
  ])
  t.not(ask(shared, { 'x-goog-api-key': 'a' }).caller.tenant, ask(shared, { 'x-goog-api-key': 'b' }).caller.tenant)
})

t.test('a browser’s preflight has no key and gets none', async (t) => {
  const preflight = { origin: 'https://app.example', 'access-control-request-method': 'POST' }
  for (const settings of [{}, issued, shared]) {
    const { caller, sent } = ask(settings, preflight, generate, 'OPTIONS')
    t.equal(caller.keyId, 'preflight')
    t.same(sent, ['origin', 'https://app.example', 'access-control-request-method', 'POST'])
  }
  for (const settings of [{}, issued]) {
    refused(t, () => ask(settings, preflight, generate, 'POST'), 'CASTOR_KEY_MISSING', 'the header alone opens nothing')
    refused(t, () => ask(settings, {}, generate, 'OPTIONS'), 'CASTOR_KEY_MISSING')
  }
})

t.test('an ephemeral token is its minter’s, also after a reload, until the minter is gone', async (t) => {
  const tokens: MintedTokens = new Map()
  const socket = readTarget('GET', '/ws/x?access_token=auth_tokens/a')
  const before = authenticator(issued, 'secret', tokens)
  const { caller } = before.authenticate(
    { 'x-goog-api-key': crm.key },
    readTarget('POST', '/v1alpha/auth_tokens'),
    'POST',
  )
  before.rememberToken('auth_tokens/a', caller)
  for (const one of [before, authenticator(issued, 'secret', tokens)]) {
    const { caller: later, outgoing } = one.authenticate({}, socket, 'GET')
    t.equal(later.tenant, caller.tenant)
    t.same(upstreamHeaders([], outgoing), [], 'the token is a credential of its own: no key is added')
  }
  const without = authenticator({ ...issued, clients: issued.clients.slice(1) }, 'secret', tokens)
  refused(t, () => without.authenticate({}, socket, 'GET'), 'CASTOR_KEY_UNKNOWN')
  t.notMatch(JSON.stringify([...tokens]), 'auth_tokens/a', 'kept as a hash')
})

t.test('a revoked key is out at the reload', async (t) => {
  const { app, url } = await gatewayTo(t, 'http://127.0.0.1:9', JSON.stringify(issued))
  const status = async () => (await fetch(`${url}/v1beta/models`, { headers: { 'x-goog-api-key': crm.key } })).status
  t.equal(await status(), 503)
  const { settings } = app.castor
  settings.replace({ ...settings.current, clients: settings.current.clients.slice(1) })
  t.equal(await status(), 401)
})

t.test('whoever answers a preflight, Gemini sees no key', async (t) => {
  const answer = 'HTTP/1.1 200 OK\r\naccess-control-allow-origin: https://app.example\r\ncontent-length: 0\r\n\r\n'
  const peer = await upstream(t, () => ({ slices: [answer] }))
  const { url } = await gatewayTo(t, peer.url, JSON.stringify(issued))
  const headers = {
    origin: 'https://app.example',
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'x-goog-api-key',
  }
  const response = await fetch(url + generate, { method: 'OPTIONS', headers })
  t.equal(response.headers.get('access-control-allow-origin'), 'https://app.example')
  const [seen] = peer.requests
  t.equal(headerOf(seen?.headers ?? [], 'access-control-request-headers'), 'x-goog-api-key')
  t.equal(headerOf(seen?.headers ?? [], 'x-goog-api-key'), undefined)
})

t.test('Gemini judges a client’s own key', async (t) => {
  const { url, emulator } = await gateway(t)
  const response = await fetch(url + generate, { method: 'POST', headers: { 'x-goog-api-key': 'bad-key' }, body: '{}' })
  t.equal(response.status, 400)
  t.match(await response.json(), { error: { details: [{ reason: 'API_KEY_INVALID', domain: 'googleapis.com' }] } })
  t.equal(emulator.count(), 1)
})

t.test('keys are random, prefixed, and kept as hashes that compare in constant time', async (t) => {
  t.ok(crm.key.startsWith(issuedKeyPrefix))
  t.equal(Buffer.from(crm.key.slice(issuedKeyPrefix.length), 'base64url').length, 32)
  t.not(crm.key, web.key)
  t.equal(crm.keyHash, hashKey(crm.key))
  t.ok(sameHash(crm.keyHash, crm.keyHash))
  t.notOk(sameHash(crm.keyHash, web.keyHash))
  t.notOk(sameHash('short', crm.keyHash), 'unequal lengths do not throw')
})

t.test('keys derived for two purposes differ, and no part of a hash runs into the next', async (t) => {
  t.notOk(deriveKey('s', 'tenant').equals(deriveKey('s', 'upload')))
  const key = deriveKey('s', 'tenant')
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (a, b, c) => {
      const same = keyedHash(key, a + b, c).equals(keyedHash(key, a, b + c))
      return same === (b === '')
    }),
  )
})

t.test('a proof of upload is worth nothing for another upload, another house, or another owner', async (t) => {
  const key = deriveKey('s', 'upload')
  const owner = { tenant: 'a'.repeat(32), client: 'crm' }
  const proof = writeUploadProof(key, 'upload-1', owner)
  t.same(readUploadProof(key, 'upload-1', proof), owner)
  t.equal(readUploadProof(key, 'upload-2', proof), null)
  t.equal(readUploadProof(deriveKey('other', 'upload'), 'upload-1', proof), null)
  const [claim = '', mac = ''] = proof.split('.')
  const forged = Buffer.from(JSON.stringify([owner.tenant, 'web'])).toString('base64url')
  for (const text of [
    '',
    '.',
    claim,
    `${claim}.`,
    `.${mac}`,
    `${forged}.${mac}`,
    `${proof}x`,
    `${claim}.${mac.slice(0, -2)}`,
  ])
    t.equal(readUploadProof(key, 'upload-1', text), null, text)
  fc.assert(fc.property(fc.string(), (text) => readUploadProof(key, 'upload-1', text) === null))
})

t.test('the secret is made once, for its owner’s eyes, and a configured one is preferred', async (t) => {
  const dataDir = join(mkdtempSync(join(tmpdir(), 'castor-secret-')), 'data')
  t.teardown(() => rmSync(join(dataDir, '..'), { recursive: true }))
  const secret = loadSecret('', dataDir)
  t.equal(Buffer.from(secret, 'base64url').length, 32)
  t.equal(loadSecret('', dataDir), secret)
  t.equal(readFileSync(join(dataDir, 'secret'), 'utf8').trim(), secret)
  t.equal(statSync(join(dataDir, 'secret')).mode & 0o777, 0o600)
  t.equal(statSync(dataDir).mode & 0o777, 0o700)
  t.equal(loadSecret('configured', dataDir), 'configured')
})

t.test('in shared mode no web page can spend the key of this machine', async (t) => {
  const { url, emulator } = await gateway(t, 'auth: { mode: shared, upstreamKey: "${KEY}" }', {
    env: { KEY: 'shared-key' },
  })
  const ask = (headers: Record<string, string>) =>
    fetch(`${url}/v1beta/models/gemini-2.5-flash:generateContent`, {
      method: 'POST',
      headers,
      body: '{"contents":[{"role":"user","parts":[{"text":"x"}]}]}',
    })
  t.equal((await ask({})).status, 200)
  t.equal((await ask({ origin: 'http://localhost:3000' })).status, 200, 'a page of this machine')
  for (const origin of ['https://evil.example', 'null']) {
    const refused = await ask({ origin })
    t.equal(refused.status, 403, origin)
    t.match(await refused.json(), { error: { details: [{ reason: 'CASTOR_NOT_LOCAL' }] } })
  }
  t.ok(isLocalRequest({ host: '[::1]:8080' }))
  t.notOk(isLocalRequest({ host: 'rebound.example:8080' }), 'a name that points to 127.0.0.1')
  t.equal(emulator.count(), 2)
})
