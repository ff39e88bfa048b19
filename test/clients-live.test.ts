/** Live sessions: websockets of the SDKs through the gateway, and the tunnel's promises frame by frame. */
import type { AddressInfo } from 'node:net'
import { GoogleGenAI, type LiveServerMessage, Modality, type Session } from '@google/genai'
import { GoogleGenAI as GoogleGenAI1 } from 'genai-1x'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { hashKey } from '../src/auth/issued.ts'
import { gateway, gatewayTo, until } from './helper.ts'

const model = 'gemini-live-2.5-flash-preview'
const versions = [
  { name: '@google/genai 1', Client: GoogleGenAI1 as unknown as typeof GoogleGenAI },
  { name: '@google/genai 3', Client: GoogleGenAI },
]

for (const { name, Client } of versions) {
  t.test(`${name} talks over Live: two turns, usage, an orderly end`, async (t) => {
    const { url, emulator, arrivals } = await gateway(t)
    const talk = await open(new Client({ apiKey: 'a-key', httpOptions: { baseUrl: url } }))
    t.match(await talk.say('Who was Castor?'), /\w/)
    t.match(await talk.say('And Pollux?'), /\w/)
    const usage = talk.messages.findLast((message) => message.usageMetadata)?.usageMetadata
    t.ok((usage?.responseTokenCount ?? 0) > 0, 'usage comes through')
    t.match(
      arrivals[0]?.url,
      /^\/\/?ws\/google\.ai\.generativelanguage\.v1(beta)?\.GenerativeService\.BidiGenerateContent\?key=/,
    )
    t.notMatch(emulator.calls[0]?.url, 'a-key', 'the key left the URL on the way up')
    t.equal(emulator.calls[0]?.key, 'a-key')
    talk.session.close()
    await until(() => (emulator.calls[0]?.endedAt ?? 0) > 0, 1000, 'the end upstream')
    t.notOk(emulator.calls[0]?.aborted, 'Gemini sees the close frame')
  })

  t.test(`${name} makes the function calling round trip over Live`, async (t) => {
    const { url } = await gateway(t)
    const tools = [{ functionDeclarations: [{ name: 'get_weather', description: 'Weather' }] }]
    const talk = await open(new Client({ apiKey: 'a-key', httpOptions: { baseUrl: url } }), { tools })
    talk.session.sendClientContent({ turns: 'What is the weather in Sparta?' })
    await until(() => talk.messages.some(({ toolCall }) => toolCall), 5000, 'the call')
    const call = talk.messages.find(({ toolCall }) => toolCall)?.toolCall?.functionCalls?.[0]
    t.equal(call?.name, 'get_weather')
    talk.session.sendToolResponse({
      functionResponses: [{ id: call?.id, name: 'get_weather', response: { sky: 'clear' } }],
    })
    t.match(await talk.answer(), /\w/)
    talk.session.close()
  })

  t.test(`${name} uses an issued key over Live`, async (t) => {
    const issued = 'castor-issued-for-live'
    const settings = `
auth: { mode: issued, upstreamKey: "\${KEY}" }
clients: [{ name: crm, keyHash: "${hashKey(issued)}" }]`
    const { url, emulator, log } = await gateway(t, settings, {
      env: { KEY: 'upstream-key' },
      emulator: { keys: ['upstream-key'] },
    })
    const talk = await open(new Client({ apiKey: issued, httpOptions: { baseUrl: url } }))
    t.match(await talk.say('Whose key?'), /\w/)
    talk.session.close()
    t.equal(emulator.calls[0]?.key, 'upstream-key')
    t.notMatch(`${emulator.calls[0]?.url} ${emulator.calls[0]?.headers}`, issued)
    t.notMatch(JSON.stringify(log), issued)
  })
}

t.test('@google/genai 3 is told of a wrong key as by Gemini itself: close code and reason', async (t) => {
  const { url, emulator } = await gateway(t)
  const refusal = async (baseUrl: string): Promise<string> => {
    const ai = new GoogleGenAI({ apiKey: 'bad-key', httpOptions: { baseUrl } })
    return open(ai).then(
      () => 'connected',
      (error: Error) => error.message,
    )
  }
  const told = await refusal(url)
  t.match(told, /1007/)
  t.equal(told, await refusal(emulator.url))
})

t.test('@google/genai uses an ephemeral token that was made through the gateway', async (t) => {
  const issued = 'castor-issued-for-tokens'
  const settings = `
auth: { mode: issued, upstreamKey: "\${KEY}" }
clients: [{ name: crm, keyHash: "${hashKey(issued)}" }]`
  for (const gzip of [false, true]) {
    const { url, emulator } = await gateway(t, settings, {
      env: { KEY: 'upstream-key' },
      emulator: { keys: ['upstream-key'] },
    })
    if (gzip) emulator.faults.add({ fault: { kind: 'gzip' }, times: 1 })
    const httpOptions = { baseUrl: url, apiVersion: 'v1alpha' }
    const token = await new GoogleGenAI({ apiKey: issued, httpOptions }).authTokens.create({ config: { uses: 1 } })
    t.match(token.name, /^auth_tokens\//)
    const talk = await open(new GoogleGenAI({ apiKey: token.name ?? '', httpOptions }))
    t.match(await talk.say('With a token?'), /\w/, `works with ${gzip ? 'compressed' : 'plain'} answers`)
    talk.session.close()
    t.equal(emulator.calls.at(-1)?.status, 101)
  }
  const { url } = await gateway(t, settings, { env: { KEY: 'upstream-key' } })
  const stranger = new GoogleGenAI({
    apiKey: 'auth_tokens/unknown',
    httpOptions: { baseUrl: url, apiVersion: 'v1alpha' },
  })
  await t.rejects(open(stranger), 'a token that Gemini never made here is refused')
})

t.test('frames of both kinds, pings and close codes pass in both directions', async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.teardown(() => new Promise<void>((resolve) => server.close(() => resolve())))
  const ends: string[] = []
  let pings = 0
  server.on('connection', (socket) => {
    socket.on('message', (data, binary) => {
      if (String(data) === 'leave') return socket.close(4321, 'the upstream leaves')
      socket.send(data, { binary })
    })
    socket.on('ping', () => pings++)
    socket.on('close', (code, reason) => ends.push(`${code} ${reason}`))
  })
  await new Promise((resolve) => server.once('listening', resolve))
  // Listening on TCP: never a path or null.
  const { port } = server.address() as AddressInfo
  const { url } = await gatewayTo(t, `http://127.0.0.1:${port}`)
  const address = `${url.replace('http', 'ws')}//ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k`

  const one = await dial(address)
  const got: { data: string; binary: boolean }[] = []
  one.on('message', (data, binary) => got.push({ data: String(data), binary }))
  let pongs = 0
  one.on('pong', () => pongs++)
  const large = 'Gemini '.repeat(50_000)
  one.send('text')
  one.send(Buffer.from('binary'))
  one.send(large)
  one.ping()
  await until(() => got.length === 3 && pongs === 1)
  t.strictSame(got, [
    { data: 'text', binary: false },
    { data: 'binary', binary: true },
    { data: large, binary: false },
  ])
  t.equal(pings, 1, 'the ping went all the way')
  const closed = new Promise((resolve) => one.once('close', (code, reason) => resolve(`${code} ${reason}`)))
  one.send('leave')
  t.equal(await closed, '4321 the upstream leaves')

  const other = await dial(address)
  other.close(4567, 'the client leaves')
  await until(() => ends.length === 2)
  t.equal(ends[1], '4567 the client leaves')
})

t.test('a Live client that vanishes ends its session upstream within a second', async (t) => {
  const { url, emulator } = await gateway(t)
  const address = `${url.replace('http', 'ws')}/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k`
  const socket = await dial(address)
  t.equal(emulator.calls[0]?.endedAt, 0)
  socket.terminate()
  await until(() => (emulator.calls[0]?.endedAt ?? 0) > 0, 1000, 'the end upstream')
  t.ok(emulator.calls[0]?.aborted)
})

async function dial(address: string): Promise<WebSocket> {
  const socket = new WebSocket(address)
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return socket
}

interface Talk {
  session: Session
  messages: LiveServerMessage[]
  /** sends a turn and returns the text of the answer to it */
  say(turns: string): Promise<string>
  /** text of the answer that is under way */
  answer(): Promise<string>
}

/** A session that answers in text; rejects when it closes before it is set up. */
async function open(ai: GoogleGenAI, config: object = {}): Promise<Talk> {
  const messages: LiveServerMessage[] = []
  let end: string | undefined
  const session = await ai.live.connect({
    model,
    config: { responseModalities: [Modality.TEXT], ...config },
    callbacks: {
      onmessage: (message) => messages.push(message),
      onclose: ({ code, reason }) => {
        end = `closed with ${code} ${reason}`
      },
    },
  })
  await until(() => messages.some(({ setupComplete }) => setupComplete) || end !== undefined, 5000, 'the setup')
  if (end !== undefined) throw new Error(end)
  let from = messages.length
  const answer = async (): Promise<string> => {
    await until(() => messages.slice(from).some(({ serverContent }) => serverContent?.turnComplete), 5000, 'the turn')
    const texts = messages.slice(from).flatMap(({ serverContent }) => serverContent?.modelTurn?.parts ?? [])
    from = messages.length
    return texts.map(({ text }) => text ?? '').join('')
  }
  return {
    session,
    messages,
    answer,
    say(turns) {
      session.sendClientContent({ turns, turnComplete: true })
      return answer()
    },
  }
}
