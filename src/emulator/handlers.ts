/** The emulator's table of contents: which handler answers which call. */
import { type Asker, createAsker } from './ask.ts'
import { createBatches } from './batches.ts'
import { createCaches } from './caches.ts'
import { createEphemeralTokens, type EphemeralTokens } from './ephemeral.ts'
import { createFiles } from './files.ts'
import { createInteractions } from './interactions.ts'
import { createLimits } from './limits.ts'
import { createModelCalls } from './model-calls.ts'
import { createOpenai, modelOfBody } from './openai.ts'
import { createOperations } from './operations.ts'
import { jsonReply } from './reply.ts'
import type { Route } from './route.ts'
import { createStores } from './stores.ts'
import { createUploads } from './upload.ts'
import type { Call, Handler, World } from './world.ts'

export interface Handlers {
  /** Undefined: Google would answer an HTML 404. */
  find(method: string, route: Route): Handler | undefined
  /** The handler reads the body itself, in pieces. */
  streams(route: Route): boolean
  /** No credential is asked for: the upload id is one. */
  open(call: Call): boolean
  /** Fills in the model of surfaces that name it in the body. */
  name(call: Call): void
  asker: Asker
  ephemeral: EphemeralTokens
  reset(): void
}

/** Builds every surface over one world. */
export function createHandlers(world: World): Handlers {
  const limits = createLimits(world.clock, world.options.rpm, world.options.tpm)
  const caches = createCaches(world)
  const files = createFiles(world)
  const asker = createAsker(world, limits, caches.lookup, files)
  const stores = createStores(world, files)
  const uploads = createUploads(world, files, stores.addUpload)
  const ephemeral = createEphemeralTokens(world)
  const batches = createBatches(world, asker, files)
  const operations = createOperations(world, files)
  const interactions = createInteractions(world, asker)
  const openai = createOpenai(world, asker)
  const modelCalls = createModelCalls(world, asker)
  const verbs: Record<string, Handler> = { ...modelCalls, ...batches.verbs, ...operations.verbs }
  return {
    asker,
    ephemeral,
    find(method, route) {
      if (route.dialect === 'openai') return openai.find(method, route)
      if (route.dialect === 'interactions') return interactions.find(method, route)
      if (route.operation === 'upload') return uploads.find(method, route)
      if (route.operation === 'download') return method === 'GET' ? files.download : undefined
      if (route.model !== undefined && route.verb !== undefined) {
        return method === 'POST' && Object.hasOwn(verbs, route.verb) ? verbs[route.verb] : undefined
      }
      switch (route.operation) {
        case 'models':
          return method === 'GET' ? (call) => jsonReply(world.catalogue.answer(call.route)) : undefined
        case 'files':
          return files.find(method, route)
        case 'cachedContents':
          return caches.find(method, route)
        case 'batches':
          return batches.find(method, route)
        case 'operations':
          return operations.find(method, route)
        case 'fileSearchStores':
        case 'documents':
          return stores.find(method, route)
        case 'auth_tokens':
          return method === 'POST' ? ephemeral.create : undefined
        default:
          return undefined
      }
    },
    streams: (route) => route.operation === 'upload',
    open: uploads.isContinued,
    name(call) {
      if (call.route.dialect === 'openai' || call.route.dialect === 'interactions')
        call.record.model = modelOfBody(call.body)
    },
    reset() {
      limits.reset()
      caches.reset()
      files.reset()
      uploads.reset()
      batches.reset()
      operations.reset()
      stores.reset()
      ephemeral.reset()
      interactions.reset()
    },
  }
}
