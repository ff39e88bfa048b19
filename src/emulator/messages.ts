/** OpenAI messages as a Gemini request. */
import { invalid } from './errors.ts'
import { asList, asNumber, asObject, asObjects, asString, type Json, type JsonObject } from './json.ts'

/** contents, systemInstruction, tools and generationConfig of a chat/completions body. Throws 400 without messages. */
export function fromMessages(body: JsonObject): JsonObject {
  const messages = asObjects(body.messages)
  if (messages.length === 0) throw invalid('Request must contain at least one message.')
  const system: JsonObject[] = []
  const contents: JsonObject[] = []
  const called = new Map<string, string>()
  for (const message of messages) {
    const role = asString(message.role)
    if (role === 'system' || role === 'developer') system.push(...contentParts(message.content))
    else if (role === 'assistant') contents.push({ role: 'model', parts: assistantParts(message, called) })
    else if (role === 'tool') contents.push({ role: 'user', parts: [resultPart(message, called)] })
    else contents.push({ role: 'user', parts: contentParts(message.content) })
  }
  const request: JsonObject = { contents, generationConfig: settings(body) }
  if (system.length > 0) request.systemInstruction = { parts: system }
  const declarations = asObjects(body.tools)
    .map((tool) => asObject(tool.function))
    .filter((one) => one !== undefined)
  if (declarations.length > 0) {
    request.tools = [{ functionDeclarations: declarations }]
    request.toolConfig = { functionCallingConfig: choice(body.tool_choice) }
  }
  return request
}

function contentParts(content: Json | undefined): JsonObject[] {
  if (typeof content === 'string') return [{ text: content }]
  return asObjects(content).map((part) => {
    const url = asString(asObject(part.image_url)?.url)
    const inline = url ? /^data:([^;]+);base64,(.*)$/s.exec(url) : null
    if (inline) return { inlineData: { mimeType: inline[1]!, data: inline[2]! } }
    if (url) return { fileData: { mimeType: 'image/*', fileUri: url } }
    return { text: asString(part.text) ?? JSON.stringify(part) }
  })
}

function assistantParts(message: JsonObject, called: Map<string, string>): JsonObject[] {
  const parts = message.content ? contentParts(message.content) : []
  for (const call of asObjects(message.tool_calls)) {
    const target = asObject(call.function)
    const id = asString(call.id)
    const name = asString(target?.name) ?? ''
    if (id) called.set(id, name)
    const functionCall: JsonObject = { name, args: parsed(asString(target?.arguments)) }
    if (id) functionCall.id = id
    const part: JsonObject = { functionCall }
    const signature = asString(asObject(asObject(call.extra_content)?.google)?.thought_signature)
    if (signature) part.thoughtSignature = signature
    parts.push(part)
  }
  return parts.length > 0 ? parts : [{ text: '' }]
}

function resultPart(message: JsonObject, called: Map<string, string>): JsonObject {
  const id = asString(message.tool_call_id)
  const text = contentParts(message.content)
    .map((part) => asString(part.text) ?? '')
    .join('')
  const response = parsed(text)
  const functionResponse: JsonObject = {
    name: (id && called.get(id)) || asString(message.name) || 'unknown',
    response: Object.keys(response).length > 0 ? response : { result: text },
  }
  if (id) functionResponse.id = id
  return { functionResponse }
}

function settings(body: JsonObject): JsonObject {
  const config: JsonObject = {}
  const most = asNumber(body.max_completion_tokens) ?? asNumber(body.max_tokens)
  if (most !== undefined) config.maxOutputTokens = most
  if (asNumber(body.temperature) !== undefined) config.temperature = body.temperature
  if (asNumber(body.top_p) !== undefined) config.topP = body.top_p
  if (asNumber(body.n) !== undefined) config.candidateCount = body.n
  const stops = asList(body.stop)
  if (stops.length > 0) config.stopSequences = stops
  if (body.reasoning_effort === 'none') config.thinkingConfig = { thinkingBudget: 0 }
  const format = asObject(body.response_format)
  if (format?.type === 'json_object') config.responseMimeType = 'application/json'
  if (format?.type === 'json_schema') {
    config.responseMimeType = 'application/json'
    config.responseJsonSchema = asObject(format.json_schema)?.schema
  }
  return config
}

function choice(asked: Json | undefined): JsonObject {
  if (asked === 'none') return { mode: 'NONE' }
  if (asked === 'required') return { mode: 'ANY' }
  const name = asString(asObject(asObject(asked)?.function)?.name)
  return name ? { mode: 'ANY', allowedFunctionNames: [name] } : { mode: 'AUTO' }
}

function parsed(text: string | undefined): JsonObject {
  try {
    return asObject(JSON.parse(text ?? '')) ?? {}
  } catch {
    return {}
  }
}
