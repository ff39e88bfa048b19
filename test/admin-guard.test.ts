import fc from 'fast-check'
import t from 'tap'
import { defaultConfig } from '../config/schema.ts'
import { createAttempts } from '../src/admin/attempts.ts'
import { createGuard, type GuardSettings, type Knock, permit } from '../src/admin/guard.ts'
import { createSessions } from '../src/admin/sessions.ts'

const token = 'operate-0123456789abcdef'
const readToken = 'look-only-0123456789abcdef'

function settings(admin: Partial<GuardSettings['admin']> = {}, server: Partial<GuardSettings['server']> = {}) {
  const config = defaultConfig()
  return { admin: { ...config.admin, ...admin }, server: { ...config.server, ...server } }
}

function knock(overrides: Partial<Knock> = {}): Knock {
  return {
    method: 'GET',
    headers: { host: '127.0.0.1:8080' },
    socketAddress: '127.0.0.1',
    address: '127.0.0.1',
    ownHosts: ['127.0.0.1:8080'],
    isHttps: false,
    ...overrides,
  }
}

const remote = { socketAddress: '10.0.0.7', address: '10.0.0.7' }
const thrown = (reason: string) => ({ name: 'GatewayError', reason })
const unauthorized = thrown('CASTOR_ADMIN_UNAUTHORIZED')
const forbidden = thrown('CASTOR_ADMIN_FORBIDDEN')
const limited = thrown('CASTOR_ADMIN_RATE_LIMITED')

t.test('a token is who its bearer is, from anywhere', async (t) => {
  const guard = createGuard(settings({ token, readToken }), () => 0)
  const as = (bearer: string) => guard.identify(knock({ ...remote, headers: { authorization: `Bearer ${bearer}` } }))
  t.same(as(token), { by: 'token', scope: 'operate' })
  t.same(as(readToken), { by: 'read token', scope: 'read' })
  t.same(guard.identify(knock({ ...remote, headers: { authorization: `bearer   ${token} ` } })), {
    by: 'token',
    scope: 'operate',
  })
})

t.test('no other text is a token, whatever its length', async (t) => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom(token.slice(1), `${token}x`, token.toUpperCase())),
      (text) => {
        fc.pre(text.trim() !== '' && text.trim() !== token && !/[\r\n]/.test(text))
        const guard = createGuard(settings({ token }), () => 0)
        t.throws(() => guard.identify(knock({ headers: { authorization: `Bearer ${text}` } })), unauthorized)
      },
    ),
    { numRuns: 50 },
  )
})

t.test('with a token set, loopback alone is nobody', async (t) => {
  t.equal(createGuard(settings({ token }), () => 0).identify(knock()), null)
})

t.test('a read token may look and change nothing', async (t) => {
  permit({ by: 'read token', scope: 'read' }, 'read')
  permit({ by: 'token', scope: 'operate' }, 'read')
  permit({ by: 'token', scope: 'operate' }, 'operate')
  t.throws(() => permit({ by: 'read token', scope: 'read' }, 'operate'), forbidden)
})

t.test('without a token this machine needs none', async (t) => {
  const guard = createGuard(settings(), () => 0)
  for (const [socketAddress, host] of [
    ['127.0.0.1', '127.0.0.1:8080'],
    ['::1', '[::1]:8080'],
    ['::ffff:127.0.0.1', 'localhost'],
  ] as const) {
    t.same(guard.identify(knock({ socketAddress, headers: { host } })), { by: 'loopback', scope: 'operate' }, host)
  }
})

t.test('without a token other machines are refused, whatever they claim', async (t) => {
  const guard = createGuard(settings(), () => 0)
  for (const headers of [{}, { 'x-forwarded-for': '127.0.0.1' }, { forwarded: 'for=127.0.0.1' }]) {
    const host = { host: '127.0.0.1:8080' }
    t.throws(() => guard.identify(knock({ socketAddress: '10.0.0.7', headers: { ...host, ...headers } })), forbidden)
  }
  t.throws(() => guard.identify(knock({ socketAddress: undefined })), forbidden, 'a connection without an address')
})

t.test('a name that was pointed at this machine is not this machine', async (t) => {
  const guard = createGuard(settings(), () => 0)
  for (const host of ['evil.example', 'evil.example:8080', '127.0.0.1.evil.example', 'localhost.evil.example', '']) {
    t.throws(() => guard.identify(knock({ headers: { host } })), forbidden, host)
  }
})

t.test('without a token nobody comes through a proxy', async (t) => {
  const host = '127.0.0.1:8080'
  const guard = createGuard(settings(), () => 0)
  for (const name of ['x-forwarded-for', 'x-forwarded-host', 'forwarded', 'via', 'x-real-ip']) {
    t.throws(() => guard.identify(knock({ headers: { host, [name]: 'x' } })), forbidden, name)
  }
  for (const server of [{ trustProxy: true }, { publicUrl: 'https://ai.example.com' }]) {
    t.throws(() => createGuard(settings({}, server), () => 0).identify(knock()), forbidden)
  }
})

t.test('no page of another origin changes anything through the browser of this machine', async (t) => {
  const guard = createGuard(settings(), () => 0)
  const post = (headers: object) =>
    guard.identify(knock({ method: 'POST', headers: { host: '127.0.0.1:8080', ...headers } }))
  for (const headers of [
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { origin: 'http://127.0.0.1:9999' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site', origin: 'http://127.0.0.1:8080' },
  ]) {
    t.throws(() => post(headers), forbidden, JSON.stringify(headers))
  }
  t.equal(post({})?.by, 'loopback', 'curl')
  t.equal(post({ origin: 'http://127.0.0.1:8080', 'sec-fetch-site': 'same-origin' })?.by, 'loopback', 'the dashboard')
})

t.test('a session is worth what its token is, for as long as it lasts', async (t) => {
  let now = 1_000_000
  const guard = createGuard(settings({ token, readToken, session: 60_000 }), () => now)
  for (const [given, scope] of [
    [token, 'operate'],
    [readToken, 'read'],
  ] as const) {
    const { id, who } = guard.login(given, knock())
    t.equal(who.scope, scope)
    const headers = { cookie: `other=1; castor_session=${id}` }
    t.same(guard.identify(knock({ ...remote, headers })), { by: 'session', scope })
    now += 60_000
    t.equal(guard.identify(knock({ ...remote, headers })), null)
  }
})

t.test('a session changes things only from a page of ours', async (t) => {
  const guard = createGuard(settings({ token }), () => 0)
  const cookie = `castor_session=${guard.login(token, knock()).id}`
  const post = (headers: object) =>
    guard.identify(knock({ ...remote, method: 'POST', headers: { cookie, ...headers } }))
  t.throws(() => post({}), forbidden)
  t.throws(() => post({ origin: 'http://evil.example' }), forbidden)
  t.throws(() => post({ origin: 'null' }), forbidden)
  t.same(post({ origin: 'http://127.0.0.1:8080' }), { by: 'session', scope: 'operate' })
})

t.test('signing out ends the session, and so do new tokens', async (t) => {
  const guard = createGuard(settings({ token, readToken }), () => 0)
  const signIn = () => ({ cookie: `castor_session=${guard.login(token, knock()).id}` })
  const headers = { ...signIn(), origin: 'http://127.0.0.1:8080' }
  guard.logout(knock({ method: 'POST', headers }))
  t.equal(guard.identify(knock({ headers })), null)

  const other = signIn()
  guard.replace(settings({ token, readToken, session: 5_000_000 }))
  t.equal(guard.identify(knock({ headers: other }))?.by, 'session', 'another setting changes nothing')
  guard.replace(settings({ token: `${token}2`, readToken }))
  t.equal(guard.identify(knock({ headers: other })), null)
  t.throws(() => guard.identify(knock({ headers: { authorization: `Bearer ${token}` } })), unauthorized)
})

t.test('a page of another origin signs nobody in or out', async (t) => {
  const guard = createGuard(settings({ token }), () => 0)
  t.throws(() => guard.login(token, knock({ headers: { origin: 'http://evil.example' } })), forbidden)
  t.throws(() => guard.logout(knock({ headers: { origin: 'http://evil.example' } })), forbidden)
})

t.test('who guesses is refused after ten wrong tokens, even with the right one, and only that address', async (t) => {
  let now = 0
  const guard = createGuard(settings({ token }), () => now)
  const attempt = (bearer: string, address = '10.0.0.7') =>
    guard.identify(knock({ address, headers: { authorization: `Bearer ${bearer}` } }))
  for (let count = 0; count < 10; count++) t.throws(() => attempt('wrong'), unauthorized)
  t.throws(() => attempt(token), { ...limited, retryAfterSeconds: 6 })
  t.throws(() => guard.login(token, knock({ address: '10.0.0.7' })), limited)
  t.equal(attempt(token, '10.0.0.8')?.by, 'token')
  now += 6_000
  t.equal(attempt(token)?.by, 'token')
})

t.test('an address is a whole /64 of IPv6, and the table of addresses is bounded', async (t) => {
  let now = 0
  const attempts = createAttempts(() => now, 3)
  for (let count = 0; count < 10; count++) attempts.fail('2001:db8:0:1::1')
  t.equal(attempts.waitSeconds('2001:db8:0:1:ffff:ffff:ffff:ffff'), 6)
  t.equal(attempts.waitSeconds('2001:db8:0:2::1'), 0)
  t.equal(attempts.waitSeconds('::1'), 0)
  for (const address of ['10.0.0.1', '10.0.0.2', '::ffff:10.0.0.3']) attempts.fail(address)
  t.equal(attempts.waitSeconds('2001:db8:0:1::1'), 0, 'the oldest was forgotten')
  for (let count = 0; count < 9; count++) attempts.fail('10.0.0.3')
  t.equal(attempts.waitSeconds('::ffff:10.0.0.3'), 6, 'a mapped address is the address')
  now += 60_000
  t.equal(attempts.waitSeconds('10.0.0.3'), 0)
})

t.test('no address makes the limiter throw, and waiting never grows beyond a burst', async (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), fc.nat(30), (address, failures) => {
      const attempts = createAttempts(() => 0)
      for (let count = 0; count < failures; count++) if (attempts.waitSeconds(address) === 0) attempts.fail(address)
      t.ok(attempts.waitSeconds(address) <= 6)
    }),
  )
})

t.test('sessions are bounded, and their ids are kept by nobody', async (t) => {
  const sessions = createSessions<string>(() => 0, 2)
  const [first, second, third] = ['a', 'b', 'c'].map((who) => sessions.open(who, 1_000))
  t.equal(sessions.find(first!), null)
  t.equal(sessions.find(second!), 'b')
  t.equal(sessions.find(third!), 'c')
  t.match(third, /^[\w-]{43}$/)
  t.equal(sessions.find(''), null)
})
