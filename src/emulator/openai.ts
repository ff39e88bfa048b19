/** The OpenAI-compatible surface: chat/completions, embeddings, models. */
import type { Asker } from './ask.ts'
import { asCompletion, completionChunks } from './completion.ts'
import { embedText } from './embed.ts'
import { invalid } from './errors.ts'
import { asList, asNumber, asObject, asString, type Json } from './json.ts'
import { fromMessages } from './messages.ts'
import { googleHeaders, type Reply, rawTail } from './reply.ts'
import type { Route } from './route.ts'
import { textTokens } from './tokens.ts'
import { type Handler, parseBody, type World } from './world.ts'

/** Handlers by path. */
export function createOpenai(world: World, asker: Asker) {
  const chat: Handler = (call) => {
    const body = parseBody(call.body)
    const model = world.catalogue.require(modelId(asString(body.model)), 'generateContent', call.route.version)
    const answer = asker.ask(call, model, fromMessages(body), '')
    const frame = {
      id: world.responseId(),
      created: Math.floor(world.clock() / 1000),
      model: asString(body.model) ?? model.id,
      usageMissing: call.faults.some((fault) => fault.kind === 'usage'),
    }
    if (body.stream !== true) return openaiReply(asCompletion(answer, frame))
    const wantsUsage = asObject(body.stream_options)?.include_usage === true
    return {
      status: 200,
      headers: googleHeaders('text/event-stream'),
      frames: completionChunks(answer, frame, world.chunkTokens, wantsUsage),
      end: '',
      tail: rawTail,
      paced: true,
    }
  }

  const embeddings: Handler = (call) => {
    const body = parseBody(call.body)
    const model = world.catalogue.require(modelId(asString(body.model)), 'embedContent', call.route.version)
    const inputs = asList(body.input)
    if (inputs.length === 0) throw invalid('input is required')
    const dimensions = asNumber(body.dimensions) ?? 3072
    let tokens = 0
    const data = inputs.map((input, index) => {
      const text = typeof input === 'string' ? input : JSON.stringify(input)
      tokens += textTokens(text)
      const values = embedText(text, dimensions, world.seed)
      // what openai clients ask for by themselves: little-endian floats
      const embedding =
        body.encoding_format === 'base64' ? Buffer.from(new Float32Array(values).buffer).toString('base64') : values
      return { embedding, index, object: 'embedding' }
    })
    const usage = { prompt_tokens: tokens, total_tokens: tokens }
    return openaiReply({ data, model: model.id, object: 'list', usage })
  }

  const models: Handler = (call) => {
    const id = call.route.name.slice('models/'.length)
    const entry = (name: string, label: string) => ({
      id: `models/${name}`,
      object: 'model',
      owned_by: 'google',
      display_name: label,
    })
    if (call.route.name !== 'models') {
      const model = world.catalogue.require(modelId(id), 'countTokens', call.route.version)
      return openaiReply(entry(model.id, model.displayName))
    }
    return openaiReply({
      object: 'list',
      data: world.catalogue.all().map((model) => entry(model.id, model.displayName)),
    })
  }

  return {
    find(method: string, route: Route): Handler | undefined {
      if (method === 'POST' && route.name === 'chat/completions') return chat
      if (method === 'POST' && route.name === 'embeddings') return embeddings
      if (method === 'GET' && /^models(\/|$)/.test(route.name)) return models
      return undefined
    },
  }
}

/** The model a body names; undefined when it names none or is no JSON. */
export function modelOfBody(body: Buffer): string | undefined {
  try {
    const name = asString(asObject(JSON.parse(body.toString()))?.model)
    return name ? modelId(name) : undefined
  } catch {
    // what is wrong with it is the handler's to say
    return undefined
  }
}

function modelId(name: string | undefined): string {
  if (!name) throw invalid('model is not specified')
  return name.slice(name.lastIndexOf('/') + 1)
}

/** Compact JSON, names in alphabetical order, as this surface writes it. */
function openaiReply(value: Json): Reply {
  const usage = asObject(asObject(value)?.usage)
  const prompt = asNumber(usage?.prompt_tokens) ?? 0
  const completion = asNumber(usage?.completion_tokens) ?? 0
  const total = asNumber(usage?.total_tokens) ?? 0
  const counts = {
    promptTokens: prompt,
    cachedTokens: 0,
    candidateTokens: completion,
    toolUseTokens: 0,
    totalTokens: total,
  }
  return {
    status: 200,
    headers: googleHeaders('application/json; charset=UTF-8'),
    frames: [
      {
        bytes: JSON.stringify(value),
        tokens: total - prompt,
        usage: usage ? { ...counts, thoughtTokens: total - prompt - completion } : undefined,
      },
    ],
    tail: rawTail,
    paced: true,
  }
}
