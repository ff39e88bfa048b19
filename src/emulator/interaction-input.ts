/** What an interaction is asked, as Gemini contents. */
import { asNumber, asObject, asObjects, asString, type Json, type JsonObject } from './json.ts'

/** Input is a text, one content, contents of one user turn, or a list of turns and steps. */
export function contentsOf(input: Json | undefined): JsonObject[] {
  if (typeof input === 'string') return [{ role: 'user', parts: [{ text: input }] }]
  const items = asObjects(input)
  const contents: JsonObject[] = []
  for (const item of items) {
    const turn = turnOf(item)
    const last = contents.at(-1)
    // contents without a speaker are one turn
    if (last && last.role === turn.role && !item.role)
      asObjects(turn.parts).forEach((part) => void (last.parts as Json[]).push(part))
    else contents.push(turn)
  }
  return contents
}

function turnOf(item: JsonObject): JsonObject {
  const role = asString(item.role)
  if (role) return { role: role === 'model' ? 'model' : 'user', parts: partsOf(item.content ?? item.parts) }
  switch (asString(item.type)) {
    case 'user_input':
      return { role: 'user', parts: partsOf(item.content) }
    case 'model_output':
      return { role: 'model', parts: partsOf(item.content) }
    case 'thought':
      return { role: 'model', parts: [{ text: '', thought: true, thoughtSignature: asString(item.signature) ?? '' }] }
    case 'function_call': {
      const call: JsonObject = { name: asString(item.name) ?? '', args: asObject(item.arguments) ?? {} }
      if (asString(item.id)) call.id = item.id
      // signatures travel in thought steps here, which the server joins by itself
      return {
        role: 'model',
        parts: [{ functionCall: call, thoughtSignature: asString(item.signature) ?? 'interaction' }],
      }
    }
    case 'function_result': {
      const result = asObject(item.result) ?? { result: item.result ?? null }
      const response: JsonObject = { name: asString(item.name) ?? '', response: result }
      const id = asString(item.call_id) ?? asString(item.id)
      if (id) response.id = id
      return { role: 'user', parts: [{ functionResponse: response }] }
    }
    default:
      return { role: 'user', parts: [partOf(item)] }
  }
}

function partsOf(content: Json | undefined): JsonObject[] {
  if (typeof content === 'string') return [{ text: content }]
  return asObjects(content).map(partOf)
}

function partOf(item: JsonObject): JsonObject {
  const mimeType = asString(item.mime_type) ?? `${asString(item.type) ?? 'image'}/*`
  if (asString(item.data)) return { inlineData: { mimeType, data: item.data } }
  if (asString(item.uri)) return { fileData: { mimeType, fileUri: item.uri } }
  return { text: asString(item.text) ?? JSON.stringify(item) }
}

/** The generate request behind an interaction. */
export function fromInteraction(body: JsonObject, contents: JsonObject[]): JsonObject {
  const settings = asObject(body.generation_config) ?? {}
  const config: JsonObject = {}
  if (asNumber(settings.max_output_tokens) !== undefined) config.maxOutputTokens = settings.max_output_tokens
  if (asNumber(settings.temperature) !== undefined) config.temperature = settings.temperature
  const level = asString(settings.thinking_level)
  if (level) config.thinkingConfig = { thinkingLevel: level.toUpperCase() }
  const format = asObject(body.response_format)
  if (format)
    Object.assign(config, {
      responseMimeType: 'application/json',
      responseJsonSchema: asObject(format.schema) ?? format,
    })
  const request: JsonObject = { contents, generationConfig: config }
  const system = asString(body.system_instruction)
  if (system) request.systemInstruction = { parts: [{ text: system }] }
  const declarations = asObjects(body.tools)
    .filter((tool) => tool.type === 'function')
    .map(({ type: _, ...declaration }) => declaration)
  if (declarations.length > 0) request.tools = [{ functionDeclarations: declarations }]
  return request
}
