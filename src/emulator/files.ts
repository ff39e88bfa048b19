/** files: what was uploaded, 48 hours long, seen only by the key that uploaded it. */
import { camelCase } from './casing.ts'
import { rfc3339 } from './duration.ts'
import { denied, type GeminiError } from './errors.ts'
import { pretty } from './framing.ts'
import { asObject, asString, type JsonObject } from './json.ts'
import { pageOf } from './page.ts'
import { randomName } from './random.ts'
import { googleHeaders, jsonReply, jsonType, type Reply, rawTail } from './reply.ts'
import type { Route } from './route.ts'
import { type Call, type Handler, parseBody, type World } from './world.ts'

/** A stored file. */
export interface StoredFile {
  name: string
  owner: string
  displayName: string | undefined
  mimeType: string
  sizeBytes: number
  /** Lower-case hex. */
  sha256: string
  createdMs: number
  /** Empty when the file was too large to keep. */
  content: Buffer
  source: 'UPLOADED' | 'GENERATED'
}

export interface Files {
  find(method: string, route: Route): Handler | undefined
  /** GET /download/{ver}/files/{id}:download */
  download: Handler
  add(file: Omit<StoredFile, 'name' | 'createdMs'> & { name?: string | undefined }): StoredFile
  /** Bytes of the file a request refers to; undefined for addresses outside. Throws 403 for files of others. */
  sizeOf(uri: string, owner: string): number | undefined
  /** The file of a URI or a name, when `owner` may see it. */
  get(reference: string, owner: string): StoredFile | undefined
  resource(file: StoredFile): JsonObject
  reset(): void
}

const lifeMs = 48 * 3_600_000
/** Files held at once; more remove the oldest. */
const most = 2000

/** An empty store. */
export function createFiles(world: World): Files {
  const files = new Map<string, StoredFile>()

  const get = (reference: string, owner: string): StoredFile | undefined => {
    const id = /files\/([^/:?]+)/.exec(reference)?.[1]
    const file = id === undefined ? undefined : files.get(id)
    if (file && file.createdMs + lifeMs <= world.clock()) files.delete(id!)
    else if (file?.owner === owner) return file
    return undefined
  }
  const mine = (call: Call): StoredFile => {
    const file = get(call.route.name, call.key)
    if (file) return file
    throw forbidden(call.route.name)
  }
  const resource = (file: StoredFile): JsonObject => ({
    name: file.name,
    displayName: file.displayName,
    mimeType: file.mimeType,
    sizeBytes: String(file.sizeBytes),
    createTime: rfc3339(file.createdMs),
    updateTime: rfc3339(file.createdMs),
    expirationTime: rfc3339(file.createdMs + lifeMs),
    // base64 of the hex text, odd as it is
    sha256Hash: Buffer.from(file.sha256).toString('base64'),
    uri: `${world.publicOrigin}/v1beta/${file.name}`,
    ...(file.source === 'GENERATED'
      ? { downloadUri: `${world.publicOrigin}/v1beta/${file.name}:download?alt=media` }
      : {}),
    state: 'ACTIVE',
    source: file.source,
  })

  const list: Handler = (call) => {
    const owned = [...files.values()].filter((file) => get(file.name, call.key))
    if (owned.length === 0) return jsonReply({})
    const page = pageOf(owned, call.route.query, (file) => file.name, 100)
    return jsonReply({ files: page.shown.map(resource), nextPageToken: page.nextPageToken })
  }

  const store: Files = {
    find(method, route) {
      if (route.verb === 'download') return method === 'GET' ? (call) => redirect(world, call, mine(call)) : undefined
      if (route.verb !== undefined) return undefined
      const one = /^files\/[^/]+$/.test(route.name)
      if (!one) return method === 'GET' ? list : method === 'POST' ? metadataOnly : undefined
      if (method === 'GET') return (call) => jsonReply(resource(mine(call)))
      if (method !== 'DELETE') return undefined
      return (call) => {
        files.delete(mine(call).name.slice(6))
        return jsonReply({})
      }
    },
    download: (call) => media(mine(call)),
    add(file) {
      const wanted = file.name?.replace(/^files\//, '')
      const id =
        wanted !== undefined && /^[a-z0-9][a-z0-9-]{0,39}$/.test(wanted) ? wanted : randomName(world.random, 12)
      const stored = { ...file, name: `files/${id}`, createdMs: world.clock() }
      const oldest = files.size >= most ? files.keys().next().value : undefined
      if (oldest !== undefined) files.delete(oldest)
      files.set(id, stored)
      return stored
    },
    get,
    sizeOf(uri, owner) {
      if (
        !/^(?:https:\/\/generativelanguage\.googleapis\.com\/\w+\/)?files\/[^/]+$/.test(uri) &&
        !uri.startsWith(world.publicOrigin)
      ) {
        return undefined
      }
      const file = get(uri, owner)
      if (file) return file.sizeBytes
      throw forbidden(uri)
    },
    resource,
    reset: () => files.clear(),
  }

  /** POST /files without bytes. */
  const metadataOnly: Handler = (call) => {
    const body = asObject(camelCase(parseBody(call.body), call.body.toString()).file) ?? {}
    const file = store.add({
      name: asString(body.name),
      owner: call.key,
      displayName: asString(body.displayName),
      mimeType: asString(body.mimeType) ?? 'application/octet-stream',
      sizeBytes: 0,
      sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      content: Buffer.alloc(0),
      source: 'UPLOADED',
    })
    return jsonReply({ file: resource(file) })
  }
  return store
}

/** Files of others and files that never were look alike. */
function forbidden(name: string): GeminiError {
  return denied(
    `You do not have permission to access the File ${name.slice(name.lastIndexOf('/') + 1)} or it may not exist.`,
  )
}

/** 302 with Google's own origin, and the caller's headers echoed, the key among them (recorded: ruby_llm 0198). */
function redirect(world: World, call: Call, file: StoredFile): Reply {
  const echoed: string[] = []
  for (const name of ['x-goog-api-key', 'accept', 'host', 'user-agent']) {
    const value = call.request.headers[name]
    if (typeof value === 'string') echoed.push(name, name === 'user-agent' ? `${value},gzip(gfe)` : value)
  }
  echoed.push('Location', `${world.origin}/download/${call.route.version}/${file.name}:download?alt=media`)
  const body = { error: { code: 302, message: 'Unknown Error.', status: 'UNKNOWN' } }
  return {
    status: 302,
    headers: googleHeaders(jsonType, echoed),
    frames: [{ bytes: pretty(body), tokens: 0 }],
    tail: rawTail,
    paced: false,
  }
}

function media(file: StoredFile): Reply {
  const headers = [
    'Content-Type',
    file.mimeType,
    'Content-Length',
    String(file.content.length),
    'Server',
    'UploadServer',
  ]
  return {
    status: 200,
    headers,
    frames: [{ bytes: file.content, tokens: 0 }],
    tail: rawTail,
    sized: true,
    paced: false,
  }
}
