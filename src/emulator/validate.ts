/** Which histories Gemini takes: roles, call and response pairs, signatures, cached content. */
import { type GeminiError, invalid } from './errors.ts'
import { asList, asObject, asObjects, asString, type Json, type JsonObject } from './json.ts'

/** What is checked of the model: its number decides whether signatures are required. */
export interface ModelNumber {
  generation: number
}

/** Contents of one speaker that follow each other: Gemini reads them as one turn. */
interface Turn {
  model: boolean
  /** Place of the first content, from 0. */
  position: number
  parts: JsonObject[]
  calls: JsonObject[]
  responses: JsonObject[]
}

/**
 * The error Gemini answers a `generateContent` body with, or null when its history is sound. Either casing.
 * `model` is a name ("gemini-3.5-flash", "models/..." too) or an entry of the catalogue. Never throws.
 */
export function validateContents(
  body: JsonObject,
  model: string | ModelNumber,
  dialect = 'native',
): GeminiError | null {
  const generation = typeof model === 'string' ? generationOf(model) : model.generation
  return cachedContent(body) ?? shapes(body, dialect) ?? order(body, generation)
}

/** 2.5 of "models/gemini-2.5-flash"; 0 for names without a Gemini number; "latest" aliases count as 3.5. */
export function generationOf(name: string): number {
  const number = /gemini-(?:live-)?(\d+(?:\.\d+)?)/.exec(name)?.[1]
  return number ? Number(number) : /gemini-.*latest/.test(name) ? 3.5 : 0
}

/** A cache already holds the instruction and the tools. */
function cachedContent(body: JsonObject): GeminiError | null {
  if (!read(body, 'cachedContent', 'cached_content')) return null
  const second =
    read(body, 'systemInstruction', 'system_instruction') ?? body.tools ?? read(body, 'toolConfig', 'tool_config')
  if (!second) return null
  return invalid(
    'CachedContent can not be used with GenerateContent request setting system_instruction, tools or tool_config.\n\nProposed fix: move those values to CachedContent from GenerateContent request.',
  )
}

const roles = new Set(['user', 'model', 'function', 'tool'])

function shapes(body: JsonObject, dialect: string): GeminiError | null {
  const contents = asObjects(body.contents)
  if (contents.length === 0) return invalid('* GenerateContentRequest.contents: contents is not specified\n')
  for (const [index, content] of contents.entries()) {
    const role = asString(content.role)
    const named = role !== undefined && role !== ''
    // Vertex wants every role named, the Gemini API takes a nameless one for the user's
    if (named ? !roles.has(role) : dialect === 'vertex') return invalid('Please use a valid role: user, model.')
    const parts = asList(content.parts)
    if (parts.length === 0) {
      return invalid(`* GenerateContentRequest.contents[${index}].parts: contents.parts must not be empty.\n`)
    }
    for (const [place, part] of parts.entries()) {
      if (carriesData(part)) continue
      return invalid(
        `* GenerateContentRequest.contents[${index}].parts[${place}].data: required oneof field 'data' must have one initialized field\n`,
      )
    }
  }
  return null
}

const dataFields = [
  ['text', 'text'],
  ['inlineData', 'inline_data'],
  ['fileData', 'file_data'],
  ['functionCall', 'function_call'],
  ['functionResponse', 'function_response'],
  ['executableCode', 'executable_code'],
  ['codeExecutionResult', 'code_execution_result'],
  ['toolCall', 'tool_call'],
  ['toolResponse', 'tool_response'],
] as const

function carriesData(value: Json): boolean {
  const part = asObject(value)
  if (!part) return false
  // a lone signature is a part that a stream left behind
  if (read(part, 'thoughtSignature', 'thought_signature') !== undefined) return true
  return dataFields.some(([camel, snake]) => read(part, camel, snake) !== undefined)
}

function order(body: JsonObject, generation: number): GeminiError | null {
  const turns = turnsOf(asObjects(body.contents))
  if (turns[0]?.model) return invalid('Please ensure that multiturn requests begin with a user role.')
  if (turns.at(-1)?.model) {
    return invalid('Please ensure that multiturn requests end with a user role or a function response.')
  }
  return pairs(turns, generation) ?? (generation >= 3 ? signatures(turns) : null)
}

function pairs(turns: Turn[], generation: number): GeminiError | null {
  for (const [index, turn] of turns.entries()) {
    const before = turns[index - 1]
    if (turn.responses.length > 0 && (before?.calls.length ?? 0) === 0) {
      return invalid('Please ensure that function response turn comes immediately after a function call turn.')
    }
    if (turn.calls.length === 0) continue
    const after = turns[index + 1]
    const answered = after?.responses ?? []
    // 2.0 lets the user change the subject (recorded: js-genai 0024)
    const dropped = answered.length === 0 && generation > 0 && generation < 2.5
    if (answered.length !== turn.calls.length && !dropped) {
      return invalid(
        'Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.',
      )
    }
    const error = ids(turn.calls, answered)
    if (error) return error
  }
  return null
}

/** Results that name a call must name one of their own turn, each once. */
function ids(calls: JsonObject[], responses: JsonObject[]): GeminiError | null {
  const open = new Set(calls.map((call) => asString(call.id)).filter((id) => id !== undefined))
  if (open.size === 0) return null
  for (const response of responses) {
    const id = asString(response.id)
    if (id !== undefined && !open.delete(id)) {
      return invalid(
        `Please ensure that function response parts match the function call parts of the function call turn. Unknown function call id: ${id}`,
      )
    }
  }
  return null
}

/** In the current turn the first call of each step keeps its signature (ai.google.dev/gemini-api/docs/thought-signatures). */
function signatures(turns: Turn[]): GeminiError | null {
  let start = turns.length - 1
  while (start > 0 && (turns[start]!.model || turns[start]!.responses.length > 0)) start--
  for (const turn of turns.slice(start)) {
    const first = turn.parts.find((part) => read(part, 'functionCall', 'function_call'))
    if (!first || read(first, 'thoughtSignature', 'thought_signature')) continue
    const name = asString(asObject(read(first, 'functionCall', 'function_call'))?.name)
    return invalid(
      `Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call \`default_api:${name}\` , position ${turn.position + 1}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details.`,
    )
  }
  return null
}

/** Joins neighbours of one speaker: chats of the official SDK keep a content for each chunk. Results stand apart from words. */
function turnsOf(contents: JsonObject[]): Turn[] {
  const turns: Turn[] = []
  for (const [position, content] of contents.entries()) {
    const parts = asObjects(content.parts)
    const turn: Turn = {
      model: content.role === 'model',
      position,
      parts,
      calls: objects(parts, 'functionCall', 'function_call'),
      responses: objects(parts, 'functionResponse', 'function_response'),
    }
    const last = turns.at(-1)
    const joins =
      last && last.model === turn.model && (turn.model || last.responses.length > 0 === turn.responses.length > 0)
    if (!joins) {
      turns.push(turn)
      continue
    }
    last.parts.push(...parts)
    last.calls.push(...turn.calls)
    last.responses.push(...turn.responses)
  }
  return turns
}

function objects(parts: JsonObject[], camel: string, snake: string): JsonObject[] {
  return parts.map((part) => asObject(read(part, camel, snake))).filter((found) => found !== undefined)
}

function read(object: JsonObject, camel: string, snake: string): Json | undefined {
  return object[camel] ?? object[snake]
}
