/** Plain REST, as the documentation's curl examples send it. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { gateway } from './helper.ts'

const run = promisify(execFile)
const body = JSON.stringify({ contents: [{ parts: [{ text: 'Who was Castor?' }] }] })

/** What curl prints for `-i`, in parts. */
async function curl(...args: string[]): Promise<{ status: number; headers: string; text: string }> {
  const { stdout } = await run('curl', ['-sSi', '--max-time', '20', ...args], { maxBuffer: 2 ** 24 })
  const end = stdout.indexOf('\r\n\r\n')
  const headers = stdout.slice(0, end)
  return { status: Number(headers.split(' ')[1]), headers, text: stdout.slice(end + 4) }
}

t.test('curl with ?key= is answered, and the key leaves the URL on the way up', async (t) => {
  const { url, emulator, log } = await gateway(t)
  const { status, text } = await curl(`${url}/v1beta/models/gemini-2.5-flash:generateContent?key=my-key`, '-d', body)
  t.equal(status, 200)
  t.match(JSON.parse(text).candidates[0].content.parts[0].text, /\w/)
  t.equal(emulator.calls[0]?.url, '/v1beta/models/gemini-2.5-flash:generateContent')
  t.equal(emulator.calls[0]?.key, 'my-key')
  t.ok(emulator.calls[0]?.headers.includes('application/x-www-form-urlencoded'), "curl's own content type goes along")
  t.notMatch(JSON.stringify(log), 'my-key')
})

t.test('curl streams both framings, decided by alt alone', async (t) => {
  const { url } = await gateway(t)
  const address = `${url}/v1/models/gemini-2.5-flash:streamGenerateContent`
  const key = ['-H', 'x-goog-api-key: my-key']
  const array = await curl('-N', address, ...key, '-d', body)
  t.match(array.headers, /content-type: application\/json/i)
  t.ok(JSON.parse(array.text).length > 1, 'a JSON array')
  const events = await curl('-N', `${address}?alt=sse`, ...key, '-d', body)
  t.match(events.headers, /content-type: text\/event-stream/i)
  t.ok(events.text.startsWith('data: {') && events.text.endsWith('}\r\n\r\n'))
})

t.test('curl gets errors in the framing of its call', async (t) => {
  const { url, emulator } = await gateway(t)
  emulator.faults.add({ fault: { kind: 'error', error: 'overloaded' } })
  const verbs: [verb: string, shape: RegExp, type: RegExp][] = [
    ['generateContent', /^\{\s*"error"/, /application\/json/],
    ['streamGenerateContent', /^\[\{\s*"error"/, /application\/json/],
    ['streamGenerateContent?alt=sse', /^\{\s*"error"/, /text\/event-stream/],
  ]
  for (const [verb, shape, type] of verbs) {
    const args = [`/v1beta/models/gemini-2.5-flash:${verb}`, '-H', 'x-goog-api-key: my-key', '-d', body]
    const through = await curl(`${url}${args[0]}`, ...args.slice(1))
    const direct = await curl(`${emulator.url}${args[0]}`, ...args.slice(1))
    t.equal(through.status, 503)
    t.equal(through.text, direct.text, `${verb} byte for byte`)
    t.match(through.text, shape)
    t.match(through.headers, type)
  }
})

t.test('curl counts, embeds, lists models, keeps a cache and deletes it without a body', async (t) => {
  const { url, emulator } = await gateway(t)
  const call = async (path: string, ...args: string[]) => {
    const { status, text } = await curl(`${url}/v1beta/${path}`, '-H', 'x-goog-api-key: my-key', ...args)
    t.equal(status, 200, path)
    return JSON.parse(text)
  }
  t.ok((await call('models/gemini-2.5-flash:countTokens', '-d', body)).totalTokens > 1)
  const content = JSON.stringify({ content: { parts: [{ text: 'one' }] } })
  t.ok((await call('models/gemini-embedding-001:embedContent', '-d', content)).embedding.values.length > 100)
  t.ok((await call('models?pageSize=3')).models.length === 3)
  const text = 'Castor and Pollux are twins. '.repeat(2000)
  const cached = JSON.stringify({ model: 'models/gemini-2.5-flash', contents: [{ role: 'user', parts: [{ text }] }] })
  const { name } = await call('cachedContents', '-H', 'content-type: application/json', '-d', cached)
  t.strictSame(await call(name, '-X', 'DELETE', '-H', 'content-type: application/json'), {})
  t.equal(emulator.count({ status: 200 }), 5)
})

t.test('curl sees a page for a path that Google does not know, as Google sends it', async (t) => {
  const { url, emulator } = await gateway(t)
  const through = await curl(`${url}/v1beta/nothing/here`, '-H', 'x-goog-api-key: my-key')
  const direct = await curl(`${emulator.url}/v1beta/nothing/here`, '-H', 'x-goog-api-key: my-key')
  t.equal(through.status, 404)
  t.equal(through.text, direct.text)
  t.match(through.headers, /content-type: text\/html/i)
})
