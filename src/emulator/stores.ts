/** fileSearchStores and their documents: create, list, get, delete, import. */
import { camelCase } from './casing.ts'
import { rfc3339 } from './duration.ts'
import { denied, GeminiError } from './errors.ts'
import type { Files, StoredFile } from './files.ts'
import { asString, type JsonObject } from './json.ts'
import { pageOf } from './page.ts'
import { randomName } from './random.ts'
import { jsonReply } from './reply.ts'
import type { Route } from './route.ts'
import { type Call, type Handler, parseBody, type World } from './world.ts'

interface Store {
  name: string
  owner: string
  displayName: string
  createdMs: number
  documents: Map<string, JsonObject>
}

/** Stores held at once, and documents in one; more remove the oldest. */
const most = 200

/** No stores yet. */
export function createStores(world: World, files: Files) {
  const stores = new Map<string, Store>()

  const storeOf = (call: Call): Store => {
    const store = stores.get(call.route.name.split('/').slice(0, 2).join('/'))
    if (store?.owner === call.key) return store
    throw denied('You do not have permission to access the FileSearchStore or it may not exist.')
  }

  const create: Handler = (call) => {
    const body = camelCase(parseBody(call.body), call.body.toString())
    const displayName = asString(body.displayName) ?? ''
    const slug = displayName
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '')
      .slice(0, 20)
    const name = `fileSearchStores/${slug}${slug ? '-' : ''}${randomName(world.random, 12)}`
    const oldest = stores.size >= most ? stores.keys().next().value : undefined
    if (oldest !== undefined) stores.delete(oldest)
    const store: Store = { name, owner: call.key, displayName, createdMs: world.clock(), documents: new Map() }
    stores.set(name, store)
    return jsonReply(resource(store))
  }

  const list: Handler = (call) => {
    const owned = [...stores.values()].filter((store) => store.owner === call.key)
    if (owned.length === 0) return jsonReply({})
    const page = pageOf(owned, call.route.query, (store) => store.name, 20)
    return jsonReply({ fileSearchStores: page.shown.map(resource), nextPageToken: page.nextPageToken })
  }

  const remove: Handler = (call) => {
    const store = storeOf(call)
    if (store.documents.size > 0 && call.route.query.get('force') !== 'true') {
      throw new GeminiError({
        code: 400,
        status: 'FAILED_PRECONDITION',
        message: 'Cannot delete non-empty FileSearchStore. Set force to true to delete it and its documents.',
      })
    }
    stores.delete(store.name)
    return jsonReply({})
  }

  const importFile: Handler = (call) => {
    const store = storeOf(call)
    const body = camelCase(parseBody(call.body), call.body.toString())
    const file = files.get(asString(body.fileName) ?? '', call.key)
    if (!file) throw denied('You do not have permission to access the File or it may not exist.')
    const document = addDocument(store, file)
    const name = `${store.name}/operations/${file.name.slice(6)}`
    return jsonReply({ name, done: true, response: { parent: store.name, documentName: document.name } })
  }

  const addDocument = (store: Store, file: StoredFile): JsonObject => {
    const name = `${store.name}/documents/${file.name.slice(6)}`
    const document: JsonObject = {
      name,
      displayName: file.displayName ?? '',
      state: 'STATE_ACTIVE',
      sizeBytes: String(file.sizeBytes),
      mimeType: file.mimeType,
      createTime: rfc3339(world.clock()),
      updateTime: rfc3339(world.clock()),
    }
    const oldest = store.documents.size >= most ? store.documents.keys().next().value : undefined
    if (oldest !== undefined) store.documents.delete(oldest)
    store.documents.set(name, document)
    return document
  }

  const documents: Handler = (call) => {
    const store = storeOf(call)
    if (call.route.name.endsWith('/documents')) {
      const page = pageOf([...store.documents.values()], call.route.query, (one) => String(one.name), 20)
      return jsonReply(store.documents.size === 0 ? {} : { documents: page.shown, nextPageToken: page.nextPageToken })
    }
    const document = store.documents.get(call.route.name)
    if (!document) throw denied('You do not have permission to access the Document or it may not exist.')
    if (call.request.method !== 'DELETE') return jsonReply(document)
    store.documents.delete(call.route.name)
    return jsonReply({})
  }

  return {
    find(method: string, route: Route): Handler | undefined {
      if (route.operation === 'documents') return method === 'GET' || method === 'DELETE' ? documents : undefined
      if (route.verb === 'importFile') return method === 'POST' ? importFile : undefined
      if (route.verb !== undefined) return undefined
      if (route.name === 'fileSearchStores') return method === 'POST' ? create : method === 'GET' ? list : undefined
      if (method === 'GET') return (call) => jsonReply(resource(storeOf(call)))
      return method === 'DELETE' ? remove : undefined
    },
    /** Books an uploaded file as a document of the store named; does nothing when the store is another's. */
    addUpload(storeName: string, file: StoredFile): void {
      const store = stores.get(storeName)
      if (store?.owner === file.owner) addDocument(store, file)
    },
    reset: () => stores.clear(),
  }
}

function resource(store: Store): JsonObject {
  return {
    name: store.name,
    displayName: store.displayName,
    createTime: rfc3339(store.createdMs),
    updateTime: rfc3339(store.createdMs),
    activeDocumentsCount: String(store.documents.size),
  }
}
