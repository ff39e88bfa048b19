/** Batches: pending, running, done; by polls or by the clock. */
import type { Asker } from './ask.ts'
import { type Batch, type BatchState, batchResource } from './batch-resource.ts'
import { camelCase } from './casing.ts'
import { embedText } from './embed.ts'
import { errorBody, GeminiError, invalid, notFound } from './errors.ts'
import type { Files } from './files.ts'
import { unaryBody } from './generate.ts'
import { asNumber, asObject, asObjects, asString, type Json, type JsonObject } from './json.ts'
import { namedError } from './named-errors.ts'
import { pageOf } from './page.ts'
import { randomName } from './random.ts'
import { jsonReply, type Reply } from './reply.ts'
import type { Route } from './route.ts'
import { type Call, type Handler, parseBody, type World } from './world.ts'

const lifeMs = 48 * 3_600_000
/** Batches held at once; more remove the oldest. */
const most = 1000

/** No batches yet. */
export function createBatches(world: World, asker: Asker, files: Files) {
  const batches = new Map<string, Batch>()

  const create = (call: Call, embeddings: boolean): Reply => {
    const model = world.catalogue.require(call.route.model ?? '', call.route.verb ?? '', call.route.version)
    const body = asObject(camelCase(parseBody(call.body), call.body.toString()).batch)
    const input = asObject(body?.inputConfig)
    if (!body || !input)
      throw invalid('* BatchGenerateContentRequest.batch.input_config: input_config is not specified\n')
    const fileName = asString(input.fileName)
    const items = fileName ? readLines(files, fileName, call.key) : asObjects(asObject(input.requests)?.requests)
    if (items.length === 0)
      throw invalid('* BatchGenerateContentRequest.batch.input_config.requests: requests is empty\n')
    const batch: Batch = {
      name: `batches/${randomName(world.random, 36)}`,
      owner: call.key,
      model,
      route: call.route,
      embeddings,
      displayName: asString(body.displayName) ?? '',
      items,
      fromFile: fileName !== undefined,
      createdMs: world.clock(),
      endedMs: 0,
      polls: 0,
      cancelled: false,
      output: undefined,
      failed: 0,
    }
    const oldest = batches.size >= most ? batches.keys().next().value : undefined
    if (oldest !== undefined) batches.delete(oldest)
    batches.set(batch.name, batch)
    return jsonReply(resource(batch))
  }

  const mine = (call: Call): Batch => {
    const batch = batches.get(call.route.name)
    if (batch?.owner === call.key) return batch
    throw notFound(`Requested entity was not found.`)
  }

  const stateOf = (batch: Batch): BatchState => {
    if (batch.cancelled) return 'CANCELLED'
    if (batch.output) return 'SUCCEEDED'
    const age = world.clock() - batch.createdMs
    if (age >= lifeMs) return 'EXPIRED'
    const step = world.options.batchStepMs === undefined ? batch.polls : Math.floor(age / world.options.batchStepMs)
    if (step >= 2) complete(batch)
    return step >= 2 ? 'SUCCEEDED' : step === 1 ? 'RUNNING' : 'PENDING'
  }

  const complete = (batch: Batch): void => {
    batch.endedMs = world.clock()
    const answered = batch.items.map((item) => answerItem(batch, item))
    batch.failed = answered.filter((one) => one.error).length
    if (!batch.fromFile) {
      batch.output = { inlinedResponses: { inlinedResponses: answered } }
      return
    }
    const content = Buffer.from(answered.map((one) => `${JSON.stringify(one)}\n`).join(''))
    const file = files.add({
      name: `batch-${batch.name.slice(8, 40)}`,
      owner: batch.owner,
      displayName: undefined,
      mimeType: 'application/jsonl',
      sizeBytes: content.length,
      sha256: '',
      content,
      source: 'GENERATED',
    })
    batch.output = { responsesFile: file.name }
  }

  const answerItem = (batch: Batch, item: JsonObject): JsonObject => {
    const label: JsonObject = batch.fromFile
      ? { key: item.key ?? '' }
      : item.metadata === undefined
        ? {}
        : { metadata: item.metadata }
    try {
      const faults = world.faults.take({ model: batch.model.id, operation: 'batchItem', key: batch.owner })
      const error = faults.find((fault) => fault.kind === 'error')
      if (error) throw namedError(error.error, batch.model.id)
      const request = asObject(item.request)
      if (!request) throw invalid('request is not specified')
      return {
        ...(batch.fromFile ? label : {}),
        response: respond(batch, request, faults),
        ...(batch.fromFile ? {} : label),
      }
    } catch (error) {
      if (!(error instanceof GeminiError)) throw error
      return { ...label, ...errorBody(error) }
    }
  }

  const respond = (batch: Batch, raw: JsonObject, faults: Call['faults']): Json => {
    const source = JSON.stringify(raw)
    if (batch.embeddings) {
      const request = camelCase(raw, source)
      const text = asObjects(asObject(request.content)?.parts)
        .map((part) => asString(part.text) ?? '')
        .join('\n')
      return { embedding: { values: embedText(text, asNumber(request.outputDimensionality) ?? 3072, world.seed) } }
    }
    const asking = { route: batch.route, key: batch.owner, faults, unmetered: true }
    const answer = asker.ask(asking, batch.model, raw, source)
    return unaryBody(answer, {
      route: batch.route,
      tier: 'standard',
      responseId: world.responseId(),
      createTime: world.time(),
      chunkTokens: world.chunkTokens,
      faults,
    })
  }

  const resource = (batch: Batch): JsonObject => batchResource(batch, stateOf(batch))

  const list: Handler = (call) => {
    const owned = [...batches.values()].filter((batch) => batch.owner === call.key)
    if (owned.length === 0) return jsonReply({})
    const page = pageOf(owned, call.route.query, (batch) => batch.name, 100)
    return jsonReply({ operations: page.shown.map(resource), nextPageToken: page.nextPageToken })
  }

  const verbs: Record<string, Handler> = {
    batchGenerateContent: (call) => create(call, false),
    asyncBatchEmbedContent: (call) => create(call, true),
  }
  return {
    verbs,
    find(method: string, route: Route): Handler | undefined {
      if (route.name === 'batches') return method === 'GET' ? list : undefined
      if (method === 'POST' && route.verb === 'cancel') {
        return (call) => {
          const batch = mine(call)
          if (!batch.output) {
            batch.cancelled = true
            batch.endedMs = world.clock()
          }
          return jsonReply({})
        }
      }
      if (method === 'DELETE' || (method === 'POST' && route.verb === 'delete')) {
        return (call) => {
          batches.delete(mine(call).name)
          return jsonReply({})
        }
      }
      if (method !== 'GET' || route.verb !== undefined) return undefined
      return (call) => {
        const batch = mine(call)
        batch.polls++
        return jsonReply(resource(batch))
      }
    },
    reset: () => batches.clear(),
  }
}

/** JSON lines `{"key", "request"}` of an uploaded file. */
function readLines(files: Files, name: string, owner: string): JsonObject[] {
  const file = files.get(name, owner)
  if (!file) throw notFound('Requested entity was not found.')
  const lines = file.content
    .toString()
    .split('\n')
    .filter((line) => line.trim() !== '')
  return lines.map((line, index) => {
    try {
      return asObject(JSON.parse(line)) ?? {}
    } catch {
      throw invalid(`Line ${index + 1} of the input file is not valid JSON.`)
    }
  })
}
