/** Uploads: resumable in any number of pieces, multipart in one body, or raw. Bytes are hashed as they pass. */
import { createHash, type Hash } from 'node:crypto'
import { camelCase } from './casing.ts'
import { GeminiError, invalid, notFound } from './errors.ts'
import type { Files, StoredFile } from './files.ts'
import { asObject, asString, type Json, type JsonObject } from './json.ts'
import { splitMultipart } from './multipart.ts'
import { randomToken } from './random.ts'
import type { Reply } from './reply.ts'
import type { Route } from './route.ts'
import { granularity, started, uploadReply } from './upload-reply.ts'
import { type Call, type Handler, parseBody, type World } from './world.ts'

interface Upload {
  id: string
  owner: string
  /** What the file shall be called and be. */
  metadata: JsonObject
  mimeType: string
  /** Where it goes: "files", or a file search store's name. */
  target: string
  received: number
  hash: Hash
  kept: Buffer[]
}

/** Bytes of one file kept for download; larger files keep their size and hash only. */
const mostKept = 8 * 2 ** 20
/** Unfinished uploads at once; more forget the oldest. */
const mostOpen = 1000
/** No uploads yet. */
export function createUploads(world: World, files: Files, addDocument: (store: string, file: StoredFile) => void) {
  const open = new Map<string, Upload>()

  const start = async (call: Call): Promise<Reply> => {
    const body = await whole(call, 2 ** 20)
    const raw = camelCase(parseBody(body), body.toString())
    const id = `AJ${randomToken(world.random, 110)}`
    const header = (name: string) => headerOf(call, name)
    const oldest = open.size >= mostOpen ? open.keys().next().value : undefined
    if (oldest !== undefined) open.delete(oldest)
    open.set(id, {
      id,
      owner: call.key,
      metadata: asObject(raw.file) ?? raw,
      mimeType: header('x-goog-upload-header-content-type') ?? 'application/octet-stream',
      target: call.route.name,
      received: 0,
      hash: createHash('sha256'),
      kept: [],
    })
    return started(world, call, id)
  }

  const proceed = async (call: Call): Promise<Reply> => {
    const id = call.route.query.get('upload_id') ?? ''
    const upload = open.get(id)
    if (!upload) throw notFound('Upload session not found.')
    const commands = (headerOf(call, 'x-goog-upload-command') ?? 'upload, finalize').split(',').map((one) => one.trim())
    if (commands.includes('cancel')) {
      open.delete(id)
      call.request.resume()
      return uploadReply(id, 'cancelled', undefined)
    }
    if (commands.includes('query')) {
      call.request.resume()
      return uploadReply(id, 'active', undefined, ['X-Goog-Upload-Size-Received', String(upload.received)])
    }
    const offset = Number(headerOf(call, 'x-goog-upload-offset') ?? upload.received)
    if (offset !== upload.received) {
      call.request.resume()
      throw invalid(`Invalid offset: ${offset}, expected ${upload.received}.`)
    }
    const size = await take(call, upload)
    if (!commands.includes('finalize')) {
      if (size % granularity !== 0) throw invalid(`Upload chunks must be a multiple of ${granularity} bytes.`)
      return uploadReply(id, 'active', undefined, ['X-Goog-Upload-Size-Received', String(upload.received)])
    }
    open.delete(id)
    return uploadReply(id, 'final', finish(upload))
  }

  /** Books the file and returns what the final answer holds. */
  const finish = (upload: Upload): Json => {
    const file: StoredFile = files.add({
      name: asString(upload.metadata.name),
      owner: upload.owner,
      displayName: asString(upload.metadata.displayName),
      mimeType: asString(upload.metadata.mimeType) ?? upload.mimeType,
      sizeBytes: upload.received,
      sha256: upload.hash.digest('hex'),
      content: upload.received > mostKept ? Buffer.alloc(0) : Buffer.concat(upload.kept),
      source: 'UPLOADED',
    })
    if (upload.target === 'files') return { file: files.resource(file) }
    addDocument(upload.target, file)
    const operation = `${upload.target}/upload/operations/${file.name.slice(6)}`
    return {
      name: operation,
      done: true,
      response: { parent: upload.target, documentName: `${upload.target}/documents/${file.name.slice(6)}` },
    }
  }

  /** multipart/related (metadata, then bytes) or the bare bytes of a file. */
  const atOnce = async (call: Call): Promise<Reply> => {
    const type = headerOf(call, 'content-type') ?? ''
    const upload: Upload = {
      id: randomToken(world.random, 110),
      owner: call.key,
      metadata: {},
      mimeType: type || 'application/octet-stream',
      target: call.route.name,
      received: 0,
      hash: createHash('sha256'),
      kept: [],
    }
    if (!/^multipart\//i.test(type)) await take(call, upload)
    else {
      const [metadata, content] = splitMultipart(await whole(call, 256 * 2 ** 20), type)
      if (!metadata || !content) throw invalid('Multipart body does not contain 2 parts.')
      const raw = camelCase(parseBody(metadata.body), metadata.body.toString())
      upload.metadata = asObject(raw.file) ?? raw
      upload.mimeType = content.type ?? 'application/octet-stream'
      book(upload, content.body)
    }
    return uploadReply(upload.id, 'final', finish(upload))
  }

  return {
    find(method: string, route: Route): Handler | undefined {
      const target =
        route.name === 'files' ||
        (route.name.startsWith('fileSearchStores/') && route.verb === 'uploadToFileSearchStore')
      if (!target || (method !== 'POST' && method !== 'PUT')) return undefined
      return (call) => {
        if (call.route.query.has('upload_id')) return proceed(call)
        const protocol = headerOf(call, 'x-goog-upload-protocol') ?? call.route.query.get('uploadType') ?? ''
        if (protocol === 'resumable') return start(call)
        return atOnce(call)
      }
    },
    /** A known upload id stands for its owner: no key is asked for. */
    isContinued(call: Call): boolean {
      return call.route.operation === 'upload' && open.has(call.route.query.get('upload_id') ?? '')
    },
    reset: () => open.clear(),
  }
}

/** Streams the body into the upload; returns its length. */
async function take(call: Call, upload: Upload): Promise<number> {
  let size = 0
  for await (const chunk of call.request) {
    size += (chunk as Buffer).length // a request without encoding yields buffers
    book(upload, chunk as Buffer)
  }
  return size
}

function book(upload: Upload, chunk: Buffer): void {
  upload.received += chunk.length
  upload.hash.update(chunk)
  if (upload.received <= mostKept) upload.kept.push(chunk)
  else upload.kept.length = 0
}

async function whole(call: Call, most: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of call.request) {
    size += (chunk as Buffer).length // as above
    if (size > most)
      throw new GeminiError({
        code: 413,
        status: 'INVALID_ARGUMENT',
        message: 'Request payload size exceeds the limit.',
      })
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

function headerOf(call: Call, name: string): string | undefined {
  const value = call.request.headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}
