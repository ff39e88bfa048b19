import { createHash } from 'node:crypto'
import t from 'tap'
import { ask, type ErrorReply, noRecordings, type Reply, recordings, says, start } from './emulator-start.ts'

const key = { 'x-goog-api-key': 'test-key' }
const other = { headers: { 'x-goog-api-key': 'other-key' } }
const bytes = Buffer.from('The Dioscuri were twins.')

interface File {
  name: string
  displayName?: string
  mimeType: string
  sizeBytes: string
  sha256Hash: string
  uri: string
  state: string
}

/** Headers of step 1. */
const opening = {
  ...key,
  'x-goog-upload-protocol': 'resumable',
  'x-goog-upload-command': 'start',
  'x-goog-upload-header-content-length': String(bytes.length),
  'x-goog-upload-header-content-type': 'text/plain',
  'content-type': 'application/json',
}

/** Step 2, with no key at all, as Python's SDK does it. */
async function data(url: string, command: string, offset: number, body: Buffer): Promise<Response> {
  const headers = {
    'x-goog-upload-command': command,
    'x-goog-upload-offset': String(offset),
    'content-type': 'application/json',
  }
  return fetch(url, { method: 'POST', headers, body: new Uint8Array(body) })
}

t.test('a resumable upload names its own absolute URL and needs no key there', { skip: noRecordings }, async (t) => {
  const emulator = await start(t)
  const first = await ask(emulator, '/upload/v1beta/files', { file: { display_name: 'twins' } }, { headers: opening })
  const recorded = recordings('raw').find((one) => one.file === 'ellmer/0013-upload-200.json')!
  for (const name of Object.keys(recorded.responseHeaders)) {
    // internal traces of Google's own machines
    if (!/^x-goog-upload-header-x-google-/.test(name)) t.ok(first.headers.has(name), name)
  }
  t.equal(first.text, '')
  t.equal(first.headers.get('x-goog-upload-status'), 'active')
  const url = first.headers.get('x-goog-upload-url')!
  t.ok(url.startsWith(`${emulator.url}/upload/v1beta/files?upload_id=`))
  t.equal(first.headers.get('x-goog-upload-control-url'), url)
  const last = await data(url, 'upload, finalize', 0, bytes)
  t.equal(last.headers.get('x-goog-upload-status'), 'final')
  const { file } = (await last.json()) as { file: File }
  t.match(file, { displayName: 'twins', mimeType: 'text/plain', sizeBytes: String(bytes.length), state: 'ACTIVE' })
  const hash = createHash('sha256').update(bytes).digest('hex')
  t.equal(Buffer.from(file.sha256Hash, 'base64').toString(), hash)
  t.equal(file.uri, `https://generativelanguage.googleapis.com/v1beta/${file.name}`)
  t.equal((await data(url, 'upload, finalize', 0, bytes)).status, 403, 'an upload ends once')
})

t.test('an upload comes in pieces, tells how far it is, and can be cancelled', async (t) => {
  const emulator = await start(t)
  const begin = async () =>
    (await ask(emulator, '/upload/v1/files', {}, { headers: opening })).headers.get('x-goog-upload-url')!
  const url = await begin()
  const piece = Buffer.alloc(8_388_608, 'a')
  const first = await data(url, 'upload', 0, piece)
  t.equal(first.headers.get('x-goog-upload-status'), 'active')
  const asked = await data(url, 'query', 0, Buffer.alloc(0))
  t.equal(asked.headers.get('x-goog-upload-size-received'), String(piece.length))
  t.equal((await data(url, 'upload', 5, piece)).status, 400, 'a wrong offset')
  const last = await data(url, 'upload, finalize', piece.length, bytes)
  t.match(await last.json(), { file: { sizeBytes: String(piece.length + bytes.length) } })
  const cancelled = await begin()
  t.equal((await data(cancelled, 'cancel', 0, Buffer.alloc(0))).headers.get('x-goog-upload-status'), 'cancelled')
  t.not((await data(cancelled, 'upload, finalize', 0, bytes)).status, 200)
})

t.test('multipart and raw uploads store the same bytes', async (t) => {
  const emulator = await start(t)
  const multipart = `--mark\r\nContent-Type: application/json\r\n\r\n{"file":{"displayName":"m"}}\r\n--mark\r\nContent-Type: text/plain\r\n\r\n${bytes}\r\n--mark--\r\n`
  const headers = { ...key, 'x-goog-upload-protocol': 'multipart', 'content-type': 'multipart/related; boundary=mark' }
  const one = (await ask(emulator, '/upload/v1beta/files', multipart, { headers })).json<{ file: File }>().file
  t.match(one, { displayName: 'm', mimeType: 'text/plain', sizeBytes: String(bytes.length) })
  const raw = { ...key, 'x-goog-upload-protocol': 'raw', 'content-type': 'text/plain' }
  const two = (await ask(emulator, '/upload/v1beta/files', bytes.toString(), { headers: raw })).json<{ file: File }>()
    .file
  t.equal(two.sha256Hash, one.sha256Hash)
})

/** An uploaded file of "test-key". */
async function uploaded(emulator: Awaited<ReturnType<typeof start>>): Promise<File> {
  const headers = { ...key, 'x-goog-upload-protocol': 'raw', 'content-type': 'text/plain' }
  return (await ask(emulator, '/upload/v1beta/files', bytes.toString(), { headers })).json<{ file: File }>().file
}

t.test('files are seen, used and deleted by their own key only', async (t) => {
  let now = Date.parse('2026-11-23T10:00:00Z')
  const emulator = await start(t, { clock: () => now })
  const file = await uploaded(emulator)
  t.strictSame((await ask(emulator, `/v1beta/${file.name}`)).json(), file)
  t.match((await ask(emulator, '/v1beta/files')).json(), { files: [file] })
  t.strictSame((await ask(emulator, '/v1beta/files', undefined, other)).json(), {})
  t.equal((await ask(emulator, `/v1beta/${file.name}`, undefined, other)).status, 403)
  const body = {
    contents: [
      { role: 'user', parts: [{ fileData: { fileUri: file.uri, mimeType: 'text/plain' } }, { text: 'Sum up' }] },
    ],
  }
  const path = '/v1beta/models/gemini-2.5-flash:generateContent'
  t.ok((await ask(emulator, path, body)).json<Reply>().usageMetadata.promptTokenCount! > 6)
  t.equal((await ask(emulator, path, body, other)).status, 403)
  t.equal((await ask(emulator, `/v1beta/${file.name}`, undefined, { method: 'DELETE' })).text, '{}\n')
  t.equal((await ask(emulator, `/v1beta/${file.name}`)).status, 403)
  const expiring = await uploaded(emulator)
  now += 48 * 3_600_000
  t.equal((await ask(emulator, `/v1beta/${expiring.name}`)).status, 403)
})

t.test('a download redirects to the own origin and echoes the key', async (t) => {
  const emulator = await start(t)
  const file = await uploaded(emulator)
  const redirect = await ask(emulator, `/v1beta/${file.name}:download?alt=media`)
  t.equal(redirect.status, 302)
  t.equal(redirect.headers.get('x-goog-api-key'), 'test-key')
  t.equal(redirect.headers.get('location'), `${emulator.url}/download/v1beta/${file.name}:download?alt=media`)
  t.match(redirect.json(), { error: { code: 302, status: 'UNKNOWN' } })
  const target = await fetch(redirect.headers.get('location')!, { headers: key })
  t.equal(target.headers.get('content-type'), 'text/plain')
  t.equal(await target.text(), bytes.toString())
})

const long = says('The twins sailed with the Argonauts. '.repeat(500))

t.test('a cached content counts as prompt, lives as long as its ttl, and fits one model and key', async (t) => {
  let now = Date.parse('2026-11-23T10:00:00Z')
  const emulator = await start(t, { clock: () => now })
  const made = await ask(emulator, '/v1beta/cachedContents', { model: 'models/gemini-2.5-flash', ...long, ttl: '300s' })
  const cache = made.json<{ name: string; expireTime: string; usageMetadata: { totalTokenCount: number } }>()
  t.equal(cache.expireTime, '2026-11-23T10:05:00.000000Z')
  const use = (model: string, options = {}) =>
    ask(emulator, `/v1beta/models/${model}:generateContent`, says('Who?', { cachedContent: cache.name }), options)
  const usage = (await use('gemini-2.5-flash')).json<Reply>().usageMetadata
  t.equal(usage.cachedContentTokenCount, cache.usageMetadata.totalTokenCount)
  t.equal(usage.promptTokenCount, cache.usageMetadata.totalTokenCount + 1)
  t.match(
    (await use('gemini-2.5-pro')).json<ErrorReply>().error.message,
    'Cached content model does not match the model in the request.',
  )
  t.equal((await use('gemini-2.5-flash', other)).status, 403)
  const patched = await ask(emulator, `/v1beta/${cache.name}`, { ttl: '600s' }, { method: 'PATCH' })
  t.match(patched.json(), { expireTime: '2026-11-23T10:10:00.000000Z' })
  now += 601_000
  t.equal((await use('gemini-2.5-flash')).status, 403)
  t.equal((await ask(emulator, `/v1beta/${cache.name}`)).status, 403)
})

t.test('caches are listed and deleted; small ones and bad durations are refused', async (t) => {
  const emulator = await start(t)
  const create = (body: object) =>
    ask(emulator, '/v1beta/cachedContents', { model: 'models/gemini-2.5-flash', ...body })
  const { name } = (await create(long)).json<{ name: string }>()
  t.match((await ask(emulator, '/v1beta/cachedContents')).json(), { cachedContents: [{ name }] })
  t.equal((await ask(emulator, `/v1beta/${name}`, undefined, { method: 'DELETE' })).text, '{}\n')
  t.strictSame((await ask(emulator, '/v1beta/cachedContents')).json(), {})
  t.match(
    (await create(says('short'))).json<ErrorReply>().error.message,
    /^Cached content is too small\. total_token_count=2, min_total_token_count=2048/,
  )
  t.equal((await create({ ...long, ttl: '5 minutes' })).status, 400)
})

const questions = (...texts: string[]) => ({
  batch: {
    displayName: 'b',
    inputConfig: {
      requests: { requests: texts.map((text, index) => ({ request: says(text), metadata: { key: String(index) } })) },
    },
  },
})

interface Batch {
  name: string
  done?: boolean
  metadata: { state: string; batchStats: Record<string, string>; createTime: string }
  response?: { inlinedResponses?: { inlinedResponses: object[] }; responsesFile?: string }
}

t.test('a batch is pending, then runs, then holds its answers in order', { skip: noRecordings }, async (t) => {
  const emulator = await start(t)
  const make = '/v1beta/models/gemini-2.5-flash:batchGenerateContent'
  emulator.faults.add({ match: { operation: 'batchItem', nth: 2 }, fault: { kind: 'error', error: 'overloaded' } })
  const created = (await ask(emulator, make, questions('One?', 'Two?'))).json<Batch>()
  const poll = async () => (await ask(emulator, `/v1beta/${created.name}`)).json<Batch>()
  const states = [created.metadata.state, (await poll()).metadata.state]
  const ended = await poll()
  t.strictSame(
    [...states, ended.metadata.state],
    ['BATCH_STATE_PENDING', 'BATCH_STATE_RUNNING', 'BATCH_STATE_SUCCEEDED'],
  )
  t.match(ended.metadata.batchStats, { requestCount: '2', successfulRequestCount: '1', failedRequestCount: '1' })
  t.match(ended.response!.inlinedResponses!.inlinedResponses, [
    { response: { candidates: [{ finishReason: 'STOP' }] }, metadata: { key: '0' } },
    { error: { code: 503 }, metadata: { key: '1' } },
  ])
  const recorded = recordings('raw').find((one) => one.file === 'ruby_llm/0003-batches-200.json')!
  const theirs = JSON.parse(recorded.responseBody!)
  t.strictSame(Object.keys(ended), Object.keys(theirs))
  t.strictSame(Object.keys(ended.metadata), Object.keys(theirs.metadata))
})

t.test('a batch by the clock reads a file and answers with one', async (t) => {
  let now = Date.parse('2026-11-23T10:00:00Z')
  const emulator = await start(t, { clock: () => now, batchStepMs: 1000 })
  const lines = ['a', 'b'].map((name) => JSON.stringify({ key: name, request: says(name) })).join('\n')
  const headers = { ...key, 'x-goog-upload-protocol': 'raw', 'content-type': 'application/jsonl' }
  const input = (await ask(emulator, '/upload/v1beta/files', lines, { headers })).json<{ file: File }>().file
  const body = { batch: { input_config: { file_name: input.name } } }
  const made = (await ask(emulator, '/v1beta/models/gemini-3.5-flash:batchGenerateContent', body)).json<Batch>()
  const poll = async () => (await ask(emulator, `/v1beta/${made.name}`)).json<Batch>()
  t.equal((await poll()).metadata.state, 'BATCH_STATE_PENDING')
  now += 1000
  t.equal((await poll()).metadata.state, 'BATCH_STATE_RUNNING')
  now += 1000
  const results = (await poll()).response!.responsesFile!
  const text = (await ask(emulator, `/download/v1beta/${results}:download?alt=media`)).text
  t.strictSame(
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).key),
    ['a', 'b'],
  )
})

t.test('batches are cancelled, listed and deleted, by their own key', async (t) => {
  const emulator = await start(t)
  const { name } = (
    await ask(emulator, '/v1/models/gemini-2.5-flash:batchGenerateContent', questions('x'))
  ).json<Batch>()
  t.equal((await ask(emulator, `/v1/${name}`, undefined, other)).status, 404)
  t.equal((await ask(emulator, `/v1/${name}:cancel`, {})).text, '{}\n')
  t.match((await ask(emulator, `/v1/${name}`)).json(), { done: true, metadata: { state: 'BATCH_STATE_CANCELLED' } })
  t.match((await ask(emulator, '/v1/batches')).json(), { operations: [{ name }] })
  t.equal(
    (
      await ask(emulator, `/v1/${name}`, undefined, {
        method: 'DELETE',
        headers: { ...key, 'content-type': 'application/json' },
      })
    ).status,
    200,
  )
  t.equal((await ask(emulator, `/v1/${name}`)).status, 404)
})

interface ModelPage {
  models: { name: string }[]
  nextPageToken?: string
}

t.test('models are listed in pages, got by name, and shaped as recorded', { skip: noRecordings }, async (t) => {
  const emulator = await start(t, { models: ['gemini-9-test'] })
  const names: string[] = []
  let token: string | undefined = ''
  while (token !== undefined) {
    const answer = await ask(emulator, `/v1beta/models?pageSize=7&pageToken=${encodeURIComponent(token)}`)
    const page: ModelPage = answer.json<ModelPage>()
    names.push(...page.models.map((model) => model.name))
    token = page.nextPageToken
  }
  t.equal(new Set(names).size, names.length)
  t.ok(names.includes('models/gemini-9-test'))
  const recorded = recordings('raw').find((one) => one.file === 'llm-gemini/0001-models-200.json')!
  const theirs = JSON.parse(recorded.responseBody!).models[0]
  const ours = (await ask(emulator, '/v1beta/models/gemini-2.5-flash')).json<typeof theirs>()
  t.strictSame({ ...ours, description: '' }, { ...theirs, description: '' })
  t.equal((await ask(emulator, '/v1beta/models/none')).status, 404)
})

t.test('embeddings are unit vectors, alike for like texts, with usage from embedding-2 only', async (t) => {
  const emulator = await start(t)
  const embed = async (text: string, model = 'gemini-embedding-001') => {
    const body = {
      requests: [{ model: `models/${model}`, content: { parts: [{ text }] }, output_dimensionality: 256 }],
    }
    const answer = await ask(emulator, `/v1beta/models/${model}:batchEmbedContents`, body)
    return answer.json<{ embeddings: { values: number[] }[]; usageMetadata?: object }>()
  }
  const vector = async (text: string) => (await embed(text)).embeddings[0]!.values
  const cosine = (one: number[], two: number[]) => one.reduce((sum, value, index) => sum + value * two[index]!, 0)
  const question = await vector('How do I reset my password?')
  t.ok(Math.abs(cosine(question, question) - 1) < 1e-6)
  const near = cosine(question, await vector('How can I reset the password of my account?'))
  const far = cosine(question, await vector('What is the capital of France?'))
  t.ok(near > 0.7 && far < 0.3, `${near.toFixed(2)} near, ${far.toFixed(2)} far`)
  t.strictSame(await vector('How do I reset my password?'), question)
  t.equal((await embed('x')).usageMetadata, undefined)
  t.match((await embed('Hello', 'gemini-embedding-2')).usageMetadata, {
    promptTokenCount: 2,
    promptTokenDetails: [{ modality: 'TEXT', tokenCount: 2 }],
  })
  const single = await ask(emulator, '/v1/models/gemini-embedding-001:embedContent', {
    content: { parts: [{ text: 'x' }] },
  })
  t.equal(single.json<{ embedding: { values: number[] } }>().embedding.values.length, 3072)
})

t.test('countTokens takes bare contents and whole requests', async (t) => {
  const emulator = await start(t)
  const path = '/v1beta/models/gemini-3.5-flash:countTokens'
  const bare = (await ask(emulator, path, says('What is the capital of France?'))).json<{ totalTokens: number }>()
  t.equal(bare.totalTokens, 8)
  const whole = {
    generateContentRequest: {
      model: 'models/gemini-3.5-flash',
      ...says('What is the capital of France?'),
      systemInstruction: { parts: { text: 'Be brief' } },
    },
  }
  t.equal((await ask(emulator, path, whole)).json<{ totalTokens: number }>().totalTokens, 10)
})

t.test('a video is ready at the second look and lies behind a download address', async (t) => {
  const emulator = await start(t)
  const body = { instances: [{ prompt: 'the sea' }] }
  const { name } = (await ask(emulator, '/v1beta/models/veo-3.1-generate-preview:predictLongRunning', body)).json<{
    name: string
  }>()
  t.strictSame((await ask(emulator, `/v1beta/${name}`)).json(), { name })
  const done = (await ask(emulator, `/v1beta/${name}`)).json<{
    response: { generateVideoResponse: { generatedSamples: { video: { uri: string } }[] } }
  }>()
  const { uri } = done.response.generateVideoResponse.generatedSamples[0]!.video
  t.match(uri, /^https:\/\/generativelanguage\.googleapis\.com\/v1beta\/files\/\w+:download\?alt=media$/)
  t.equal((await ask(emulator, new URL(uri).pathname + new URL(uri).search)).status, 302)
})
