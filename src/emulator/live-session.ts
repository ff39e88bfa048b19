/** One Live session: setup, turns, function calls, usage after each turn. */
import type { RawData, WebSocket } from 'ws'
import type { Answer } from './answer.ts'
import { camelCase } from './casing.ts'
import { GeminiError } from './errors.ts'
import type { Fault } from './faults.ts'
import { pretty } from './framing.ts'
import type { Handlers } from './handlers.ts'
import { asList, asObject, asObjects, asString, type JsonObject } from './json.ts'
import type { Model } from './models.ts'
import type { RecordedCall } from './options.ts'
import { randomToken } from './random.ts'
import type { Route } from './route.ts'
import { pieces } from './text.ts'
import { detailsOf } from './tokens.ts'
import type { World } from './world.ts'

export interface SessionParts {
  client: WebSocket
  world: World
  handlers: Handlers
  route: Route
  /** The key the session runs under. */
  owner: string
  record: RecordedCall
  faults: Fault[]
}

/** Turns a session keeps; older ones are forgotten, as context compression does. */
const mostTurns = 500

/** Speaks the protocol on `client` until it closes. */
export function startSession(parts: SessionParts): void {
  const { client, world, route, record } = parts
  let model: Model | undefined
  let setup: JsonObject = {}
  const contents: JsonObject[] = []

  const tell = (message: JsonObject) => client.send(Buffer.from(pretty(message)), { binary: true })

  const open = (message: JsonObject): void => {
    setup = message
    const id = (asString(setup.model) ?? '').replace(/^.*models\//, '')
    record.model = id
    model = world.catalogue.find(id)
    if (!model) {
      return client.close(
        1008,
        `models/${id} is not found for API version ${route.version}, or is not supported for bidiGenerateContent.`.slice(
          0,
          123,
        ),
      )
    }
    tell({ setupComplete: {} })
    const leaving = parts.faults.find((fault) => fault.kind === 'goAway')
    if (leaving) tell({ goAway: { timeLeft: leaving.timeLeft ?? '60s' } })
    if (setup.sessionResumption) {
      tell({ sessionResumptionUpdate: { newHandle: randomToken(world.random, 32), resumable: true } })
    }
  }

  const hear = (turns: JsonObject[]): void => {
    contents.push(...turns)
    if (contents.length > mostTurns) contents.splice(0, contents.length - mostTurns)
  }

  const reply = (): void => {
    if (!model || contents.length === 0) return
    const body: JsonObject = { contents: [...contents], generationConfig: textual(asObject(setup.generationConfig)) }
    for (const name of ['systemInstruction', 'tools'] as const) if (setup[name] !== undefined) body[name] = setup[name]
    const answer = parts.handlers.asker.ask({ route, key: parts.owner, faults: parts.faults }, model, body, '')
    const candidate = answer.candidates[0]
    if (!candidate) return
    if (candidate.calls.length > 0) {
      const calls = candidate.calls.map((call) => ({ name: call.name, args: call.args, id: call.id }))
      hear([{ role: 'model', parts: calls.map((call) => ({ functionCall: call, thoughtSignature: 'live' })) }])
      return tell({ toolCall: { functionCalls: calls }, usageMetadata: usage(answer) })
    }
    hear([{ role: 'model', parts: [{ text: candidate.text }] }])
    for (const part of spoken(candidate.text, setup, world.chunkTokens))
      tell({ serverContent: { modelTurn: { parts: [part] } } })
    tell({ serverContent: { generationComplete: true } })
    tell({ serverContent: { turnComplete: true }, usageMetadata: usage(answer) })
  }

  const usage = (answer: Answer): JsonObject => {
    const total = answer.promptTokens + answer.candidateTokens + answer.thoughtTokens
    const before = record.usage
    record.usage = {
      promptTokens: answer.promptTokens + (before?.promptTokens ?? 0),
      cachedTokens: answer.cachedTokens + (before?.cachedTokens ?? 0),
      candidateTokens: answer.candidateTokens + (before?.candidateTokens ?? 0),
      thoughtTokens: answer.thoughtTokens + (before?.thoughtTokens ?? 0),
      toolUseTokens: 0,
      totalTokens: total + (before?.totalTokens ?? 0),
    }
    const shaped: JsonObject = {
      promptTokenCount: answer.promptTokens,
      responseTokenCount: answer.candidateTokens,
      totalTokenCount: total,
    }
    shaped.promptTokensDetails = detailsOf(answer.modalities)
    shaped.responseTokensDetails = detailsOf({ [speaks(setup) ? 'AUDIO' : 'TEXT']: answer.candidateTokens })
    if (answer.thoughtTokens > 0) shaped.thoughtsTokenCount = answer.thoughtTokens
    return shaped
  }

  const understand = (data: RawData): void => {
    const text = data.toString()
    const message = camelCase(asObject(JSON.parse(text)) ?? {}, text)
    const first = asObject(message.setup)
    if (first && !model) return open(first)
    if (!model) return client.close(1007, 'Request contains an invalid argument: setup must come first.')
    const content = asObject(message.clientContent)
    if (content) {
      hear(asObjects(content.turns))
      if (content.turnComplete === true) reply()
      return
    }
    const results = asObject(message.toolResponse)
    if (results) {
      hear([{ role: 'user', parts: asList(results.functionResponses).map((one) => ({ functionResponse: one })) }])
      return reply()
    }
    const input = asObject(message.realtimeInput)
    if (!input) return client.close(1007, 'Request contains an invalid argument.')
    const said = asString(input.text)
    if (said !== undefined) hear([{ role: 'user', parts: [{ text: said }] }])
    for (const blob of [...asObjects(input.audio), ...asObjects(input.video), ...asObjects(input.mediaChunks)]) {
      hear([{ role: 'user', parts: [{ inlineData: blob }] }])
    }
    if (said !== undefined || input.audioStreamEnd === true || input.activityEnd !== undefined) reply()
  }

  client.on('message', (data) => {
    try {
      understand(data)
    } catch (error) {
      const message = error instanceof GeminiError ? error.message : 'Request contains an invalid argument.'
      // a close reason holds at most 123 bytes (RFC 6455 §5.5)
      client.close(error instanceof GeminiError && error.code >= 429 ? 1011 : 1007, message.slice(0, 120))
    }
  })
}

function speaks(setup: JsonObject): boolean {
  const wanted = asList(asObject(setup.generationConfig)?.responseModalities).map(String)
  return wanted.includes('AUDIO')
}

/** Settings that matter to the words; a Live session has more of them. */
function textual(config: JsonObject | undefined): JsonObject {
  const { responseModalities: _, speechConfig: __, ...rest } = config ?? {}
  return rest
}

/** Text pieces, or 24 kHz PCM of silence, 40 ms a piece of text. */
function spoken(text: string, setup: JsonObject, chunkTokens: number): JsonObject[] {
  if (!speaks(setup)) return pieces(text, chunkTokens).map((piece) => ({ text: piece }))
  const silence = Buffer.alloc(1920).toString('base64')
  return pieces(text, chunkTokens).map(() => ({ inlineData: { mimeType: 'audio/pcm;rate=24000', data: silence } }))
}
