/** Uploads in several steps: every step of every client comes through the gateway, with keys of its own and with issued ones. */
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { subscribe } from 'node:diagnostics_channel'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createGoogleGenerativeAI } from '@ai-sdk/google'
import { GoogleGenAI } from '@google/genai'
import { GoogleAIFileManager } from '@google/generative-ai/server'
import { uploadFile } from 'ai'
import { GoogleGenAI as GoogleGenAI1 } from 'genai-1x'
import t, { type Test } from 'tap'
import { hashKey } from '../src/auth/issued.ts'
import { callRaw, gateway, headerOf, message, until } from './helper.ts'

const run = promisify(execFile)
const issued = 'castor-issued-key-for-files'
const other = 'castor-issued-key-of-another'
const upstreamKey = 'AIza-upstream-key'
const settings = `
server: { basePath: /ai }
auth: { mode: issued, upstreamKey: "\${KEY}" }
clients:
  - { name: crm, keyHash: "${hashKey(issued)}" }
  - { name: other, keyHash: "${hashKey(other)}" }
`
/** More than two of the clients' chunks of 8 MiB, and no round number. */
const large = randomBytes(17 * 2 ** 20 + 12_345)

/** Hosts that anything in this process has dialled: the SDKs' fetch and the gateway's own connections. */
const dialled = new Set<unknown>()
subscribe('undici:client:beforeConnect', (event) => {
  // The message's type is only in undici's documentation (docs/docs/api/DiagnosticsChannel.md).
  dialled.add((event as { connectParams: { hostname: string } }).connectParams.hostname)
})

const versions = [
  { name: '@google/genai 1', Client: GoogleGenAI1 as unknown as typeof GoogleGenAI },
  { name: '@google/genai 3', Client: GoogleGenAI },
]
for (const { name, Client } of versions) {
  t.test(`${name} uploads a large file in chunks, uses, lists, downloads and deletes it`, async (t) => {
    const gate = await issuing(t)
    const ai = new Client({ apiKey: issued, httpOptions: { baseUrl: gate.url } })
    const file = await ai.files.upload({
      file: new Blob([large]),
      config: { mimeType: 'video/mp4', displayName: 'big' },
    })
    t.equal(file.sizeBytes, String(large.length))
    t.equal(Buffer.from(file.sha256Hash ?? '', 'base64').toString(), sha256(large), 'what arrived is what was sent')
    t.match(
      file.uri,
      'https://generativelanguage.googleapis.com/',
      'the name of the file stays what Gemini understands',
    )
    const chunks = gate.arrivals.filter(({ url }) => url.includes('upload_id='))
    t.equal(chunks.length, 3, 'three chunks came through the gateway')
    t.ok(chunks.every(({ url }) => url.startsWith('/ai/upload/')))
    const parts = [{ fileData: { fileUri: file.uri, mimeType: 'video/mp4' } }, { text: 'What is in it?' }]
    t.match(
      (await ai.models.generateContent({ model: 'gemini-2.5-flash', contents: [{ role: 'user', parts }] })).text,
      /\w/,
    )
    const names: (string | undefined)[] = []
    for await (const one of await ai.files.list()) names.push(one.name)
    t.strictSame(names, [file.name])
    t.equal((await ai.files.get({ name: file.name ?? '' })).displayName, 'big')

    const small = await ai.files.upload({ file: new Blob(['small']), config: { mimeType: 'text/plain' } })
    const downloadPath = join(folder(t), 'small')
    await ai.files.download({ file: small.name ?? '', downloadPath })
    t.equal(String(await settled(downloadPath, 5)), 'small')
    t.ok(
      gate.arrivals.some(({ url }) => url.startsWith('/ai/download/')),
      'the redirect led back here',
    )
    await ai.files.delete({ name: file.name ?? '' })
    throughTheGateway(t, gate)
  })
}

t.test('@google/generative-ai uploads in one multipart request, lists, gets and deletes', async (t) => {
  const gate = await issuing(t)
  const files = new GoogleAIFileManager(issued, { baseUrl: gate.url })
  const { file } = await files.uploadFile(large.subarray(0, 3_000_000), { mimeType: 'image/png', displayName: 'one' })
  t.equal(Buffer.from(file.sha256Hash ?? '', 'base64').toString(), sha256(large.subarray(0, 3_000_000)))
  t.equal((await files.listFiles()).files.length, 1)
  t.equal((await files.getFile(file.name)).displayName, 'one')
  await files.deleteFile(file.name)
  throughTheGateway(t, gate)
})

t.test('ai + @ai-sdk/google uploads, its second step without a key', async (t) => {
  const gate = await issuing(t)
  const google = createGoogleGenerativeAI({ apiKey: issued, baseURL: `${gate.url}/v1beta` })
  const { providerReference } = await uploadFile({ api: google, data: large, mediaType: 'video/mp4' })
  t.match(JSON.stringify(providerReference), 'files/')
  const step = gate.arrivals.find(({ url }) => url.includes('upload_id='))
  t.notMatch(step?.headers.join(' ').toLowerCase(), 'x-goog-api-key', 'the step that carries the bytes has no key')
  throughTheGateway(t, gate)
})

t.test('curl uploads as the documentation shows, its second step without a key', async (t) => {
  const gate = await issuing(t)
  const path = join(folder(t), 'bytes')
  writeFileSync(path, large)
  const { stdout: head } = await run('curl', [
    ...['-sS', '--fail', '-D', '-', '-o', '/dev/null', `${gate.url}/upload/v1beta/files?key=${issued}`],
    ...['-H', 'X-Goog-Upload-Protocol: resumable', '-H', 'X-Goog-Upload-Command: start'],
    ...['-H', `X-Goog-Upload-Header-Content-Length: ${large.length}`],
    ...['-H', 'X-Goog-Upload-Header-Content-Type: video/mp4', '-H', 'Content-Type: application/json'],
    ...['-d', '{"file": {"display_name": "curled"}}'],
  ])
  const address = /^x-goog-upload-url: *(\S+)/im.exec(head)?.[1] ?? ''
  t.ok(address.startsWith(`${gate.url}/upload/`), 'the address is the gateway')
  t.notMatch(head, upstreamKey, 'and the key in it is gone')
  const upload = ['-H', 'X-Goog-Upload-Offset: 0', '-H', 'X-Goog-Upload-Command: upload, finalize']
  const { stdout: answer } = await run('curl', ['-sS', '--fail', address, ...upload, '--data-binary', `@${path}`])
  t.equal(JSON.parse(answer).file.sizeBytes, String(large.length))
  throughTheGateway(t, gate)
})

t.test('an upload that somebody else has started cannot be continued', async (t) => {
  const gate = await issuing(t)
  const start = message(
    'POST /ai/upload/v1beta/files HTTP/1.1',
    [
      ['Host', new URL(gate.url).host],
      ['x-goog-api-key', issued],
      ['X-Goog-Upload-Protocol', 'resumable'],
      ['X-Goog-Upload-Command', 'start'],
      ['X-Goog-Upload-Header-Content-Length', '4'],
      ['Content-Length', '2'],
    ],
    '{}',
  )
  const begun = await callRaw(gate.url, start).response
  const address = new URL(headerOf(begun.headers, 'x-goog-upload-url') ?? '')
  const proof = address.searchParams.get('castor_upload') ?? ''
  const forged = new URL(address)
  forged.searchParams.set(
    'castor_upload',
    proof.replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')),
  )
  const bare = new URL(address)
  bare.searchParams.delete('castor_upload')
  const attempts = [
    { what: 'with the key of another client', url: address, key: other },
    { what: 'without proof', url: bare, key: '' },
    { what: 'with a forged proof', url: forged, key: '' },
  ]
  for (const { what, url, key } of attempts) {
    const answer = await callRaw(gate.url, upload(url, key)).response
    t.ok([401, 403, 404].includes(answer.status), `${what}: ${answer.status}`)
  }
  t.equal(gate.emulator.count(), 1, 'none of it went up')
  t.equal((await callRaw(gate.url, upload(address, '')).response).status, 200, 'who started it goes on')
})

function upload(url: URL, key: string): Buffer {
  const headers: [string, string][] = [
    ['Host', url.host],
    ['X-Goog-Upload-Command', 'upload, finalize'],
    ['X-Goog-Upload-Offset', '0'],
    ['Content-Length', '4'],
  ]
  if (key !== '') headers.push(['x-goog-api-key', key])
  return message(`POST ${url.pathname}${url.search} HTTP/1.1`, headers, 'data')
}

function issuing(t: Test) {
  return gateway(t, settings, { env: { KEY: upstreamKey }, emulator: { keys: [upstreamKey], keepBodies: false } })
}

/** Nothing was asked of Gemini past the gateway, and nothing with another key than the house's. */
function throughTheGateway(t: Test, { arrivals, emulator }: Awaited<ReturnType<typeof issuing>>): void {
  t.equal(emulator.count(), arrivals.length, 'as many requests reached Gemini as passed the gateway')
  t.equal(
    emulator.count(({ status }) => status >= 400),
    0,
    'none of them failed',
  )
  t.strictSame([...dialled], ['127.0.0.1'], 'no other host was dialled')
  const seen = emulator.calls.map(({ url, headers }) => `${url} ${headers}`).join('\n')
  t.notMatch(seen, issued, 'the issued key never went up')
  t.notMatch(seen, 'castor_upload', 'nor did the proof')
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'castor-files-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** The SDK's download may settle before its file is written. */
async function settled(path: string, bytes: number): Promise<Buffer> {
  await until(() => statSync(path, { throwIfNoEntry: false })?.size === bytes, 5000, 'the download')
  return readFileSync(path)
}
