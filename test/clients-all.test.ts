/** What holds for every client: the same answers as from Gemini itself, under each form of base URL and with each kind of key. */
import t from 'tap'
import { hashKey } from '../src/auth/issued.ts'
import { type Gateway, gateway } from './helper.ts'
import { collect, sdks } from './sdks.ts'

const issued = 'castor-issued-key-of-crm'
const upstreamKey = 'AIza-upstream-key-of-the-house'
const settings = `
auth: { mode: issued }
clients:
  - { name: crm, keyHash: "${hashKey(issued)}", upstreamKey: "\${KEY}" }
`

for (const sdk of sdks) {
  t.test(`${sdk.name} gets through the gateway what Gemini answers`, async (t) => {
    const { url, emulator } = await gateway(t)
    const direct = { url: emulator.url, key: 'a-key' }
    const through = { url, key: 'a-key' }
    t.equal(await sdk.generate(through, 'Who was Castor?'), await sdk.generate(direct, 'Who was Castor?'))
    const pieces = await collect(sdk.stream(through, 'Who was Pollux?'))
    t.strictSame(pieces, await collect(sdk.stream(direct, 'Who was Pollux?')))
    t.ok(pieces.length > 2, 'streamed in several pieces')
    const [one, other] = [emulator.calls[0], emulator.calls[1]]
    t.ok(one?.body.equals(other?.body ?? Buffer.alloc(0)), 'the same request bytes')
  })

  t.test(`${sdk.name} works with a trailing slash and with a path prefix`, async (t) => {
    const { url, emulator } = await gateway(t, 'server: { basePath: /ai/gemini }')
    t.match(await sdk.generate({ url: `${url}/`, key: 'a-key' }, 'One slash too many?'), /\w/)
    t.match((await collect(sdk.stream({ url: `${url}/`, key: 'a-key' }, 'And streamed?'))).join(''), /\w/)
    t.match(await sdk.generate({ url, key: 'a-key' }, 'And without it?'), /\w/)
    t.equal(emulator.count({ status: 200 }), 3, 'each was asked of Gemini')
    t.notOk(
      emulator.calls.some((call) => call.url.includes('ai/gemini') || call.url.includes('//')),
      'Gemini sees its own paths',
    )
  })

  t.test(`${sdk.name} works with a key that the gateway has issued`, async (t) => {
    const gate = await gateway(t, settings, { env: { KEY: upstreamKey }, emulator: { keys: [upstreamKey] } })
    const answers = watchAnswers(gate)
    const at = { url: gate.url, key: issued }
    t.match(await sdk.generate(at, 'Whose key is it?'), /\w/)
    t.match((await collect(sdk.stream(at, 'And on a stream?'))).join(''), /\w/)
    const refused = await errorOf(sdk.generate({ url: gate.url, key: upstreamKey }, 'With the key of the house?'))
    t.match(refused, 'not one that the gateway has issued')
    const { calls } = gate.emulator
    t.equal(calls.length, 2, 'the refused one did not go up')
    t.strictSame([...new Set(calls.map(({ key }) => key))], [upstreamKey])
    t.notOk(
      calls.some(({ headers, url, body }) => `${headers}${url}${body}`.includes(issued)),
      'Gemini never sees the issued key',
    )
    t.notOk(answers().includes(upstreamKey), 'the client never sees the upstream key')
    t.notOk(JSON.stringify(gate.log).includes(upstreamKey), 'nor does the log')
    t.notOk(JSON.stringify(gate.log).includes(issued), 'and not the issued one')
  })
}

/** Everything the gateway writes to clients from now on. */
function watchAnswers({ app }: Gateway): () => string {
  let written = ''
  app.server.on('connection', (socket: import('node:net').Socket) => {
    const write = socket.write
    // Node's overloads of write cannot be spelled as one signature.
    socket.write = function watched(this: typeof socket, ...args: Parameters<typeof write>) {
      written += String(args[0])
      return write.apply(this, args)
    } as typeof write
  })
  return () => written
}

/** The text of the error that a promise must end with. */
async function errorOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: Error) => error.message,
  )
}
