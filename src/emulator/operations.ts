/** Long-running operations: videos that are ready at the second poll, and what uploads to stores leave behind. */

import { notFound } from './errors.ts'
import type { Files } from './files.ts'
import type { JsonObject } from './json.ts'
import { randomName } from './random.ts'
import { jsonReply } from './reply.ts'
import type { Route } from './route.ts'
import type { Handler, World } from './world.ts'

interface Operation {
  owner: string
  polls: number
  /** File id of the video, made when the operation ends. */
  file: string | undefined
}

/** Operations held at once; more forget the oldest. */
const most = 1000

/** No operations yet. */
export function createOperations(world: World, files: Files) {
  const operations = new Map<string, Operation>()

  const video: Handler = (call) => {
    const model = world.catalogue.require(call.route.model ?? '', 'predictLongRunning', call.route.version)
    const name = `models/${model.id}/operations/${randomName(world.random, 12)}`
    const oldest = operations.size >= most ? operations.keys().next().value : undefined
    if (oldest !== undefined) operations.delete(oldest)
    operations.set(name, { owner: call.key, polls: 0, file: undefined })
    return jsonReply({ name })
  }

  const poll: Handler = (call) => {
    const name = call.route.name
    if (name.startsWith('fileSearchStores/')) return jsonReply({ name, done: true, response: {} })
    const operation = operations.get(name)
    if (operation?.owner !== call.key) throw notFound('Requested entity was not found.')
    operation.polls++
    if (operation.polls < 2) return jsonReply({ name })
    operation.file ??= addVideo(operation.owner)
    return jsonReply(finished(name, operation.file))
  }

  const addVideo = (owner: string): string => {
    const content = Buffer.from(`emulated video ${world.seed}`)
    const file = files.add({
      owner,
      displayName: undefined,
      mimeType: 'video/mp4',
      sizeBytes: content.length,
      sha256: '',
      content,
      source: 'GENERATED',
    })
    return file.name
  }

  const finished = (name: string, file: string): JsonObject => ({
    name,
    done: true,
    response: {
      '@type': 'type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse',
      generateVideoResponse: {
        generatedSamples: [{ video: { uri: `${world.publicOrigin}/v1beta/${file}:download?alt=media` } }],
      },
    },
  })

  const verbs: Record<string, Handler> = { predictLongRunning: video }
  return {
    verbs,
    find(method: string, route: Route): Handler | undefined {
      return method === 'GET' && route.verb === undefined ? poll : undefined
    },
    reset: () => operations.clear(),
  }
}
