/** generateContent, streamGenerateContent, countTokens and the embeddings, native and Vertex. */
import type { Asker } from './ask.ts'
import { camelCase } from './casing.ts'
import { batchEmbedding, singleEmbedding, vertexPrediction } from './embed.ts'
import { checkFields } from './fields.ts'
import { streamReply, unaryReply } from './generate.ts'
import { asObject, asString, type JsonObject } from './json.ts'
import { jsonReply, type Reply } from './reply.ts'
import { detailsOf, promptTokens, totalOf } from './tokens.ts'
import { validateContents } from './validate.ts'
import { type Call, type Handler, parseBody, type World } from './world.ts'

/** Handlers by verb. */
export function createModelCalls(world: World, asker: Asker): Record<string, Handler> {
  const generate = (call: Call): Reply => {
    const body = parseBody(call.body)
    const model = world.catalogue.require(call.route.model ?? '', call.route.operation, call.route.version)
    const answer = asker.ask(call, model, body, call.body.toString())
    const delivery = {
      route: call.route,
      tier: tierOf(body),
      responseId: world.responseId(),
      createTime: world.time(),
      chunkTokens: world.chunkTokens,
      faults: call.faults,
    }
    return call.route.operation === 'generateContent' ? unaryReply(answer, delivery) : streamReply(answer, delivery)
  }
  const count = (call: Call): Reply => {
    const model = world.catalogue.require(call.route.model ?? '', 'countTokens', call.route.version)
    const raw = camelCase(parseBody(call.body), call.body.toString())
    const body = asObject(raw.generateContentRequest) ?? raw
    checkFields(body)
    const error = validateContents(body, model, call.route.dialect)
    // a count takes unfinished conversations: only bodies without contents are wrong
    if (error && /contents is not specified|valid role/.test(error.message)) throw error
    const counted = promptTokens(body)
    counted.modalities.TEXT = (counted.modalities.TEXT ?? 0) + counted.signatures
    const answer: JsonObject = { totalTokens: totalOf(counted.modalities) }
    if (call.route.dialect === 'vertex') answer.totalBillableCharacters = JSON.stringify(body.contents).length
    answer.promptTokensDetails = detailsOf(counted.modalities)
    return jsonReply(answer)
  }
  return {
    generateContent: generate,
    streamGenerateContent: generate,
    countTokens: count,
    computeTokens: count,
    embedContent: (call) => singleEmbedding(world, call),
    batchEmbedContents: (call) => batchEmbedding(world, call),
    predict: (call) => vertexPrediction(world, call),
  }
}

/** Lower case, also of the early form "SERVICE_TIER_PRIORITY"; standard unless asked. */
export function tierOf(body: JsonObject): string {
  const asked = asString(body.serviceTier ?? body.service_tier)
    ?.toLowerCase()
    .replace('service_tier_', '')
  return asked === 'flex' || asked === 'priority' ? asked : 'standard'
}
