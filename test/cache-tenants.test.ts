// DESIGN §8.3: nothing crosses tenants.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { issueKey } from '../src/auth/issued.ts'
import { ask, question, sse, unary } from './cache-ask.ts'
import { type Closing, gatewayTo } from './helper.ts'

const mark = (key: string) => createHash('sha256').update(key).digest('hex').slice(0, 16)

interface Telltale {
  url: string
  asked: number
  /** keys that it no longer accepts */
  revoked: Set<string>
}

/** A Gemini whose every answer names whom it was given to. */
async function telltale(t: Closing): Promise<Telltale> {
  const state: Telltale = { url: '', asked: 0, revoked: new Set() }
  const server = createServer(async (request, response) => {
    const prompt = /"text":"([^"]*)"/.exec(await read(request))?.[1] ?? ''
    const key = String(request.headers['x-goog-api-key'])
    state.asked++
    if (state.revoked.has(key)) {
      const error = {
        code: 400,
        message: 'API key not valid. Please pass a valid API key.',
        status: 'INVALID_ARGUMENT',
      }
      response.writeHead(400, { 'content-type': 'application/json; charset=UTF-8' })
      return void response.end(JSON.stringify({ error }))
    }
    const text = `${prompt} for ${mark(key)}`
    const answer = {
      candidates: [{ content: { parts: [{ text }], role: 'model' }, finishReason: 'STOP', index: 0 }],
      usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 3, totalTokenCount: 6 },
    }
    const stream = request.url?.includes('alt=sse')
    response.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json; charset=UTF-8' })
    // Long enough in flight that equal calls meet.
    setTimeout(() => response.end(stream ? `data: ${JSON.stringify(answer)}\r\n\r\n` : JSON.stringify(answer)), 3)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
  })
  // Listening on TCP: never a path or null.
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return state
}

async function read(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}

/** Every tenant asks the same questions, often and all at once. @returns how many answers named somebody else */
async function foreignAnswers(url: string, owners: ReadonlyMap<string, string>): Promise<number> {
  const calls: { key: string; text: string; path: string }[] = []
  for (let round = 0; round < 4; round++) {
    for (let index = 0; index < 10; index++) {
      for (const key of owners.keys()) for (const path of [unary, sse]) calls.push({ key, text: `q${index}`, path })
    }
  }
  let foreign = 0
  for (let at = 0; at < calls.length; at += 80) {
    await Promise.all(
      calls.slice(at, at + 80).map(async ({ key, text, path }) => {
        const { body } = await ask(url, text, { key, path })
        if (!body.includes(`${text} for ${owners.get(key)}`)) foreign++
      }),
    )
  }
  return foreign
}

t.test('eight tenants that ask the same never see what another was told', async (t) => {
  const upstream = await telltale(t)
  const { url } = await gatewayTo(t, upstream.url, 'cache: { mode: "on" }')
  const keys = Array.from({ length: 8 }, (_, index) => `tenant-${index}`)
  t.equal(await foreignAnswers(url, new Map(keys.map((key) => [key, mark(key)]))), 0)
  t.ok(upstream.asked <= 8 * 10 * 2, `memory has answered the rest: ${upstream.asked} of 640 calls went up`)
})

t.test('keys of one client share, clients do not', async (t) => {
  const upstream = await telltale(t)
  const issued = Array.from({ length: 4 }, () => issueKey())
  const client = (name: string, ...at: number[]) =>
    `  - { name: ${name}, upstreamKey: up-${name}, keyHash: [${at.map((index) => `"${issued[index]?.keyHash}"`).join(', ')}] }`
  const { url } = await gatewayTo(
    t,
    upstream.url,
    `cache: { mode: "on", scope: client }\nclients:\n${client('red', 0, 1)}\n${client('blue', 2, 3)}`,
  )
  const owners = new Map(issued.map(({ key }, index) => [key, mark(index < 2 ? 'up-red' : 'up-blue')]))
  t.equal(await foreignAnswers(url, owners), 0)
  t.ok(upstream.asked <= 2 * 10 * 2, `${upstream.asked} calls for two clients`)
})

t.test('a key that Gemini has revoked gets nothing more, not even what it once asked', async (t) => {
  const upstream = await telltale(t)
  const { url } = await gatewayTo(t, upstream.url, 'cache: { mode: "on" }')
  await ask(url, 'old', { key: 'gone' })
  t.match((await ask(url, 'old', { key: 'gone' })).cache, /hit/)
  upstream.revoked.add('gone')
  t.equal((await ask(url, 'new', { key: 'gone' })).status, 400, 'where Gemini says so, memory learns it')
  const after = await ask(url, 'old', { key: 'gone' })
  t.equal(after.status, 400)
  t.notMatch(after.body, mark('gone'))
})

t.test('a key never seen gets no answer out of a flight of others', async (t) => {
  const upstream = await telltale(t)
  const { url } = await gatewayTo(t, upstream.url, 'cache: { mode: "on", scope: shared }')
  await ask(url, 'warm', { key: 'known' })
  upstream.revoked.add('thief')
  const [known, thief] = await Promise.all([ask(url, 'x', { key: 'known' }), ask(url, 'x', { key: 'thief' })])
  t.equal(known.status, 200)
  t.equal(thief.status, 400)
})

t.test('a thousand equal questions at once are one call', async (t) => {
  const upstream = await telltale(t)
  const { url } = await gatewayTo(t, upstream.url, 'cache: { mode: "on" }')
  await ask(url, 'warm')
  const before = upstream.asked
  const body = JSON.stringify(question('stampede'))
  const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(url, '', { body })))
  t.equal(upstream.asked - before, 1)
  t.equal(new Set(answers.map((answer) => answer.body)).size, 1)
  t.ok(answers.every(({ status }) => status === 200))
})
