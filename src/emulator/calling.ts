/** When a model calls a function, and with which arguments. */
import { asList, asObject, asObjects, asString, type JsonObject } from './json.ts'
import { createRandom, randomName } from './random.ts'
import { type Material, valueFor } from './schema.ts'

export interface FunctionCall {
  id: string
  name: string
  args: JsonObject
}

/** The calls to answer with; none after function results, without declarations, or when nothing asks for one. */
export function callsFor(body: JsonObject, prompt: string, seed: number): FunctionCall[] {
  const declared = asObjects(body.tools).flatMap((tool) => asObjects(tool.functionDeclarations))
  if (declared.length === 0 || endsWithResults(body)) return []
  const settings = asObject(asObject(body.toolConfig)?.functionCallingConfig)
  const mode = asString(settings?.mode)?.toUpperCase() ?? 'AUTO'
  if (mode === 'NONE') return []
  const allowed = asList(settings?.allowedFunctionNames).map(String)
  const open = allowed.length > 0 ? declared.filter((one) => allowed.includes(asString(one.name) ?? '')) : declared
  const meant = open.filter((one) => isMeant(asString(one.name) ?? '', prompt))
  const asked = /\b(call|use|invoke)\b[^.?!]*\b(tools?|functions?)\b/i.test(prompt)
  const chosen = meant.length > 0 ? meant : mode === 'ANY' || asked ? open.slice(0, 1) : []
  const random = createRandom(seed ^ 0xca11)
  return chosen.map((declaration) => ({
    id: randomName(random, 8),
    name: asString(declaration.name) ?? '',
    args: argumentsFor(declaration, prompt, random),
  }))
}

/** The last turn answers function calls. */
export function endsWithResults(body: JsonObject): boolean {
  return asObjects(asObjects(body.contents).at(-1)?.parts).some((part) => part.functionResponse !== undefined)
}

/** What the prompt offers to fill values with: proper names first, then its words. */
export function materialOf(prompt: string): Material {
  const plain = prompt.slice(-4000)
  const names = [...plain.matchAll(/(?<=[^.!?]\s)\p{Lu}[\p{L}'-]+(?:\s\p{Lu}[\p{L}'-]+)*/gu)].map((match) => match[0])
  const words = [...plain.matchAll(/\p{L}[\p{L}'-]{3,}/gu)].map((match) => match[0].toLowerCase())
  const numbers = [...plain.matchAll(/-?\b\d+(?:\.\d+)?\b/g)].map((match) => Number(match[0]))
  return { words: names.length > 0 ? names : words.slice(0, 12), numbers }
}

function argumentsFor(declaration: JsonObject, prompt: string, random: () => number): JsonObject {
  const schema = asObject(declaration.parameters) ?? asObject(declaration.parametersJsonSchema)
  return (schema && asObject(valueFor(schema, random, materialOf(prompt)))) ?? {}
}

/** "get_weather" is meant by its name, or by "weather" in the prompt. */
function isMeant(name: string, prompt: string): boolean {
  if (name === '') return false
  const said = prompt.toLowerCase()
  if (said.includes(name.toLowerCase())) return true
  const words = name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word.length > 2 && !/^(get|set|fetch|find|the|tool|function|current)$/.test(word))
  return words.length > 0 && words.every((word) => new RegExp(`\\b${word}`).test(said))
}
