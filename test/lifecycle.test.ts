/** The gateway as a process: what signals, settings files and faults make of it. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import t from 'tap'
import { issueKey } from '../src/auth/issued.ts'
import { callRaw, chunk, headerOf, until } from './helper.ts'
import { generate, nemesis, post, readError, request, stream } from './nemesis.ts'
import { castor, type Served, serve, start } from './process.ts'

// Processes take a second to start.
t.jobs = 3

const begun = `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n${chunk('data: {"a":1}\r\n\r\n')}`
const rest = `${chunk('data: {"b":2}\r\n\r\n')}0\r\n\r\n`
const unary = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'

/** A gateway with one stream open, whose second half comes when asked for. */
async function streaming(t: Parameters<typeof serve>[0], server: object) {
  const sockets: Socket[] = []
  const peer = await nemesis(t, (socket) => {
    sockets.push(socket)
    socket.write(begun)
  })
  const gateway = await serve(t, peer.url, { server })
  const call = callRaw(gateway.url, post(stream, '{}'))
  await until(() => sockets.length === 1, 5000, 'the stream')
  return { gateway, call, finish: () => sockets[0]?.write(rest) }
}

const status = async (url: string, path: string) => (await callRaw(url, request(`GET ${path}`)).response).status

t.test('SIGTERM lets an open stream end, refuses new calls, and exits 0', async (t) => {
  const { gateway, call, finish } = await streaming(t, { drain: '20s', propagation: '3s' })
  // An idle connection that its client keeps open must not hold up the end.
  const idle = connect(Number(new URL(gateway.url).port), '127.0.0.1')
  t.teardown(() => idle.destroy())
  idle.on('error', () => {})
  idle.write(request('GET /healthz'))
  await new Promise((resolve) => idle.once('data', resolve))
  t.equal(await status(gateway.url, '/readyz'), 200)

  gateway.signal('SIGTERM')
  let ready = 200
  const deadline = performance.now() + 2500
  while (ready === 200 && performance.now() < deadline) ready = await status(gateway.url, '/readyz')
  t.equal(ready, 503, 'readiness is red at once')
  t.equal(await status(gateway.url, '/healthz'), 200, 'it still lives')
  const refused = await callRaw(gateway.url, post(generate, '{}')).response
  t.match(readError(refused), { status: 503, name: 'UNAVAILABLE', reason: 'CASTOR_DRAINING' })
  t.equal(headerOf(refused.headers, 'retry-after'), '1')

  finish()
  const answer = await call.response
  t.ok(answer.complete)
  t.match(answer.body.toString(), /"a":1.*"b":2/s)
  const endedAt = performance.now()
  t.match(await gateway.ended, { code: 0, signal: null })
  t.ok(performance.now() - endedAt < 5000, 'and does not wait for idle clients')
})

t.test('SIGINT does the same', async (t) => {
  const peer = await nemesis(t, (socket) => void socket.write(unary))
  const gateway = await serve(t, peer.url)
  gateway.signal('SIGINT')
  t.match(await gateway.ended, { code: 0, signal: null })
})

t.test('a stream that outlives the drain is cut, not ended, and the exit says so', async (t) => {
  const { gateway, call } = await streaming(t, { drain: '300ms' })
  gateway.signal('SIGTERM')
  const answer = await call.response
  t.equal(answer.complete, false)
  t.match(answer.body.toString(), '"a":1')
  t.match(await gateway.ended, { code: 1, signal: null })
})

t.test('a second signal ends it at once', async (t) => {
  const { gateway, call } = await streaming(t, { drain: '1h' })
  gateway.signal('SIGTERM')
  await until(() => gateway.log().length > 0, 5000, 'its log')
  const sentAt = performance.now()
  gateway.signal('SIGTERM')
  // The first may not have been seen yet: signals of one kind merge.
  const again = setInterval(() => gateway.signal('SIGTERM'), 200)
  t.match(await gateway.ended, { code: 1 })
  clearInterval(again)
  t.ok(performance.now() - sentAt < 5000)
  await call.response.catch(() => {})
})

/** Whether a call with this key is let in. */
const accepts = async ({ url }: Served, key: string) =>
  (await callRaw(url, request('GET /v1beta/models', [`x-goog-api-key: ${key}`])).response).status === 200

t.test('SIGHUP puts new settings in force; a bad file leaves the old ones', async (t) => {
  const peer = await nemesis(t, (socket) => void socket.write(unary))
  const first = issueKey()
  const client = `  - name: first\n    keyHash: ${first.keyHash} # replaced in May`
  const gateway = await serve(t, peer.url, { more: `auth: { upstreamKey: UP }\nclients:\n${client}` })
  t.ok(await accepts(gateway, first.key))

  const { code, stdout } = await castor(t, ['keys', 'create', 'second', '--config', gateway.file])
  t.equal(code, 0)
  const key = stdout.trim()
  t.notOk(await accepts(gateway, key), 'not before the reload')
  gateway.signal('SIGHUP')
  await until(() => gateway.stdout.includes('settings reloaded'), 5000, 'the reload')
  t.ok(await accepts(gateway, key))
  t.ok(await accepts(gateway, first.key))

  const good = readFileSync(gateway.file, 'utf8')
  t.match(good, '# replaced in May', 'comments stay')
  t.notMatch(good, key, 'a hash only')
  writeFileSync(gateway.file, `${good}limits: { inFlihgt: 1 }\n`)
  gateway.signal('SIGHUP')
  await until(() => gateway.stdout.includes('not reloaded'), 5000, 'the refusal')
  const refusal = gateway.log().find(({ msg }) => /not reloaded/.test(String(msg)))
  t.match(refusal, { level: 50, problems: [{ path: 'limits.inFlihgt', line: Number, fix: /inFlight/ }] })
  t.ok(await accepts(gateway, key), 'the old ones are in force')

  writeFileSync(gateway.file, good.replace(/ {2}- name: first\n.*\n/, ''))
  gateway.signal('SIGHUP')
  await until(() => gateway.stdout.split('settings reloaded').length > 2, 5000, 'the second reload')
  t.notOk(await accepts(gateway, first.key), 'who is taken out is out')
  gateway.signal('SIGTERM')
  t.match(await gateway.ended, { code: 0 })
})

for (const [title, fault] of [
  ['an error that nobody caught', 'throw new Error("a fault of the test")'],
  ['a rejection that nobody caught', 'Promise.reject(new Error("a fault of the test"))'],
] as const) {
  t.test(`${title} ends the process, aloud and not with 0`, async (t) => {
    const plant = `data:text/javascript,process.on("SIGUSR2",()=>{${encodeURIComponent(fault)}})`
    const gateway = await serve(t, 'http://127.0.0.1:9', { nodeArgs: ['--import', plant] })
    gateway.signal('SIGUSR2')
    t.match(await gateway.ended, { code: 70 })
    t.match(gateway.stderr, /castor: Error: a fault of the test\n {4}at /)
  })
}

t.test('a taken port is said in a sentence', async (t) => {
  const peer = await nemesis(t, () => {})
  const port = Number(new URL(peer.url).port)
  const gateway = await serve(t, peer.url, { server: { port } })
  t.match(await gateway.ended, { code: 1 })
  t.match(gateway.stderr, new RegExp(`^castor: .*EADDRINUSE.*${port}\n$`))
})

t.test('npm start greets a person and works with the shipped file', async (t) => {
  const peer = await nemesis(t, (socket) => void socket.write(unary))
  const data = t.testdir()
  const running = start(t, 'npm', ['start'], { CASTOR_PORT: '0', CASTOR_UPSTREAM: peer.url, CASTOR_DATA_DIR: data })
  await until(() => running.stderr.includes('npm run demo'), 20_000, 'the greeting')
  const url = /Castor answers at (http:\/\/127\.0\.0\.1:\d+) for Gemini at (\S+), with (.*)\./.exec(running.stderr)
  t.equal(url?.[2], peer.url)
  t.equal(url?.[3], "each client's own Gemini key")
  t.equal(await status(url?.[1] ?? '', '/v1beta/models'), 200)
  for (const word of ['/healthz', 'curl ', 'Dashboard']) t.match(running.stderr, word)
  t.ok(running.stderr.trim().split('\n').length < 15, 'in a few lines')
  running.signal('SIGTERM')
  await running.ended
})
