/** Decides what a model says: the same for every surface that asks it. */
import { createHash } from 'node:crypto'
import { callsFor, type FunctionCall, materialOf } from './calling.ts'
import type { Fault } from './faults.ts'
import { groundingOf } from './grounding.ts'
import { asNumber, asObject, asObjects, asString, type JsonObject } from './json.ts'
import type { Model } from './models.ts'
import type { EmulatorOptions } from './options.ts'
import { between, createRandom } from './random.ts'
import { valueFor } from './schema.ts'
import { firstTokens, prose, thoughtSummary } from './text.ts'
import { signatureFor, signs, type Thinking, thinkingOf } from './thinking.ts'
import { type Modalities, type PromptTokens, textTokens, totalOf } from './tokens.ts'

export interface Candidate {
  index: number
  /** Summary of the thinking, when the caller wants it. */
  thought: string | undefined
  text: string
  calls: FunctionCall[]
  /** Goes on the first call, or on the last text part. */
  signature: string | undefined
  finishReason: string
  continuationToken: string | undefined
  tokens: number
}

export interface Answer {
  model: Model
  prompt: string
  candidates: Candidate[]
  /** Fields that server-side tools add to each candidate's end. */
  grounding: JsonObject
  /** Set: the prompt was refused and there are no candidates. */
  blockReason: string | undefined
  /** Prompt tokens by modality, cached ones included. */
  modalities: Modalities
  /** Prompt tokens in signatures of the history, which streams report last. */
  signatureTokens: number
  promptTokens: number
  cachedTokens: number
  candidateTokens: number
  thoughtTokens: number
  toolUseTokens: number
}

/** What the answer hangs on besides the request. */
export interface AnswerSettings {
  /** Tokens of the visible request. */
  counted: PromptTokens
  seed: number
  options: EmulatorOptions
  faults: Fault[]
  /** Prompt tokens that come from an explicit cache. */
  explicitCache?: Modalities
  /** Finds tokens seen before; absent: no implicit caching. */
  implicitCache?: (promptTokens: number) => number
}

/** `body` in camelCase and already valid. Pure: the same request and settings give the same answer. */
export function answerTo(model: Model, body: JsonObject, settings: AnswerSettings): Answer {
  const config = asObject(body.generationConfig) ?? {}
  const prompt = lastPrompt(body)
  const { counted } = settings
  const modalities = { ...counted.modalities }
  for (const [name, tokens] of Object.entries(settings.explicitCache ?? {}))
    modalities[name] = (modalities[name] ?? 0) + tokens
  const visible = totalOf(modalities) + counted.signatures
  const cached = settings.explicitCache ? totalOf(settings.explicitCache) : (settings.implicitCache?.(visible) ?? 0)
  modalities.TEXT = (modalities.TEXT ?? 0) + counted.signatures
  const answer: Answer = {
    model,
    prompt,
    candidates: [],
    blockReason: undefined,
    grounding: {},
    modalities,
    signatureTokens: counted.signatures,
    promptTokens: visible,
    cachedTokens: cached,
    candidateTokens: 0,
    thoughtTokens: 0,
    toolUseTokens: 0,
  }
  const block = settings.faults.find((fault) => fault.kind === 'block')
  if (block) return { ...answer, blockReason: block.reason ?? 'SAFETY' }

  const digest = createHash('sha256').update(`${settings.seed}\n${model.resolved}\n`)
  digest.update(
    JSON.stringify([body.contents, body.systemInstruction, config, body.cachedContent, body.continuationToken]),
  )
  const seed = digest.digest().readUInt32BE(0)
  const thinking = thinkingOf(model, config, seed)
  const budget = asNumber(config.maxOutputTokens) ?? model.outputLimit
  // thoughts count against the budget; half of it stays for the answer
  answer.thoughtTokens = Math.min(thinking.tokens, Math.floor(budget / 2))
  const count = Math.max(1, Math.min(8, asNumber(config.candidateCount) ?? 1))
  for (let index = 0; index < count; index++) {
    const drawn = {
      model,
      body,
      prompt,
      seed: seed + index * 7919,
      index,
      budget: budget - answer.thoughtTokens,
      thinking,
      settings,
    }
    const candidate = draw(drawn)
    answer.candidates.push(candidate)
    answer.candidateTokens += candidate.tokens
  }
  const grounding = groundingOf(body, prompt, answer.candidates[0]?.text ?? '', seed)
  answer.grounding = grounding.fields
  answer.toolUseTokens = grounding.tokens
  return answer
}

/** All that one candidate hangs on. */
interface Draw {
  model: Model
  body: JsonObject
  prompt: string
  seed: number
  index: number
  /** Tokens left for words. */
  budget: number
  thinking: Thinking
  settings: AnswerSettings
}

function draw(from: Draw): Candidate {
  const { model, body, prompt, seed, thinking } = from
  const calls = callsFor(body, prompt, seed)
  const said = calls.length > 0 ? { text: '', finishReason: 'STOP', continuationToken: undefined } : limited(from)
  const callTokens = calls.reduce((sum, call) => sum + Math.ceil(JSON.stringify(call).length / 5), 0)
  return {
    ...said,
    index: from.index,
    thought: thinking.shown && thinking.tokens > 0 ? thoughtSummary(prompt, seed) : undefined,
    calls,
    signature: signs(model, calls.length > 0, thinking) ? signatureFor(seed) : undefined,
    tokens: callTokens + textTokens(said.text),
    finishReason: finishFault(from)?.reason ?? said.finishReason,
  }
}

/** The words, cut by stop sequences, by the length of one hop (Gemini 4), by the budget, or by a fault. */
function limited(from: Draw): Pick<Candidate, 'text' | 'finishReason' | 'continuationToken'> {
  const { model, body, settings } = from
  let text = whole(body, model, from.prompt, from.seed, settings)
  text = text.slice(0, firstStop(text, body))
  const forced = finishFault(from)
  if (forced) {
    const cut = forced.reason === 'STOP' ? text : text.slice(0, Math.ceil(text.length / 3))
    return {
      text: cut,
      finishReason: forced.reason,
      continuationToken: forced.reason === 'CONTINUATION' ? tokenAfter(cut) : undefined,
    }
  }
  const hop =
    model.generation >= 4 && body.continuationToken === undefined ? settings.options.continuationTokens : undefined
  if (hop !== undefined && hop < from.budget && textTokens(text) > hop) {
    const cut = firstTokens(text, hop)
    return { text: cut, finishReason: 'CONTINUATION', continuationToken: tokenAfter(cut) }
  }
  const cut = firstTokens(text, from.budget)
  return { text: cut, finishReason: cut === text ? 'STOP' : 'MAX_TOKENS', continuationToken: undefined }
}

function finishFault({ settings }: Draw): Extract<Fault, { kind: 'finish' }> | undefined {
  return settings.faults.find((fault) => fault.kind === 'finish')
}

/** Opaque to clients, who send it back with the same request. */
function tokenAfter(text: string): string {
  return Buffer.from(`hop:${textTokens(text)}:${text.length}`).toString('base64')
}

/** The answer before any limit cuts it; after a continuation token, the rest of it. */
function whole(body: JsonObject, model: Model, prompt: string, seed: number, settings: AnswerSettings): string {
  const scripted = settings.options.answer?.({ model: model.id, prompt, body })
  if (scripted !== undefined) return scripted
  const config = asObject(body.generationConfig) ?? {}
  const type = asString(config.responseMimeType)
  const schema = asObject(config.responseSchema) ?? asObject(config.responseJsonSchema)
  if (type === 'application/json' || type === 'text/x.enum') {
    const value = valueFor(
      schema ?? { type: 'object', properties: { answer: { type: 'string' } } },
      createRandom(seed),
      materialOf(prompt),
    )
    return type === 'text/x.enum' ? String(value) : JSON.stringify(value, null, 2)
  }
  const range = settings.options.answerTokens ?? [40, 160]
  const [least, most] = typeof range === 'number' ? [range, range] : range
  const text = prose(prompt, between(createRandom(seed ^ 0x1e), least, most), seed)
  const results = asObjects(asObjects(body.contents).at(-1)?.parts).map((part) => asObject(part.functionResponse))
  const shown = results.find((result) => result?.response !== undefined)
  return shown ? `The ${asString(shown.name)} result is ${JSON.stringify(shown.response)}. ${text}` : text
}

function firstStop(text: string, body: JsonObject): number | undefined {
  const stops = asObject(body.generationConfig)?.stopSequences
  let first: number | undefined
  for (const stop of Array.isArray(stops) ? stops : []) {
    const at = typeof stop === 'string' && stop !== '' ? text.indexOf(stop) : -1
    if (at >= 0 && (first === undefined || at < first)) first = at
  }
  return first
}

/** Text of the last turn, or of the last user turn before function results. */
function lastPrompt(body: JsonObject): string {
  const contents = asObjects(body.contents)
  for (let index = contents.length - 1; index >= 0; index--) {
    const content = contents[index]!
    if (content.role === 'model') continue
    const text = asObjects(content.parts)
      .map((part) => asString(part.text) ?? '')
      .join('\n')
      .trim()
    if (text !== '') return text
  }
  return ''
}
