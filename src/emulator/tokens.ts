/** How many tokens a request holds. An approximation that never changes: about four letters a token, one CJK sign a token. */
import { asList, asObject, asObjects, asString, type JsonObject } from './json.ts'

/** Tokens by modality: TEXT, IMAGE, AUDIO, VIDEO, DOCUMENT. */
export type Modalities = Record<string, number>

/** Tokens of one text; 0 for the empty one. */
export function textTokens(text: string): number {
  let quarters = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    // Latin 1 quarter; Greek, Cyrillic, Arabic, Indic 2; CJK, kana, Hangul 3; half of a surrogate pair 3
    quarters += code < 0x250 ? 1 : code < 0x2e80 ? 2 : 3
  }
  return Math.ceil(quarters / 4)
}

/** Sum over modalities. */
export function totalOf(modalities: Modalities): number {
  let total = 0
  for (const name in modalities) total += modalities[name]!
  return total
}

/** `[{modality, tokenCount}]`, as usage details are written; nothing for zero. */
export function detailsOf(modalities: Modalities): JsonObject[] {
  const counted = Object.entries(modalities).filter(([, tokenCount]) => tokenCount > 0)
  return counted.map(([modality, tokenCount]) => ({ modality, tokenCount }))
}

/** Tokens of the parts that count at once, and of the signatures, which Gemini 3 counts late. */
export interface PromptTokens {
  modalities: Modalities
  signatures: number
}

/** Bytes of a file by its URI; undefined when nobody knows. */
export type SizeOf = (uri: string) => number | undefined

/** Counts a request in camelCase: contents, system instruction and tool declarations. */
export function promptTokens(body: JsonObject, sizeOf: SizeOf = () => undefined): PromptTokens {
  const found: PromptTokens = { modalities: { TEXT: 0 }, signatures: 0 }
  for (const content of asObjects(body.contents)) countContent(content, found, sizeOf)
  const system = asObject(body.systemInstruction)
  if (system) countContent(system, found, sizeOf)
  for (const tool of asList(body.tools)) add(found, 'TEXT', Math.ceil(JSON.stringify(tool).length / 6))
  return found
}

function countContent(content: JsonObject, found: PromptTokens, sizeOf: SizeOf): void {
  for (const part of asObjects(content.parts)) {
    const text = asString(part.text)
    if (text !== undefined) add(found, 'TEXT', textTokens(text))
    for (const name of ['functionCall', 'functionResponse', 'executableCode', 'codeExecutionResult'] as const) {
      if (part[name]) add(found, 'TEXT', Math.ceil(JSON.stringify(part[name]).length / 5))
    }
    const inline = asObject(part.inlineData)
    if (inline) countBytes(asString(inline.mimeType) ?? '', (asString(inline.data) ?? '').length * 0.75, found)
    const file = asObject(part.fileData)
    if (file) countBytes(asString(file.mimeType) ?? '', sizeOf(asString(file.fileUri) ?? '') ?? 0, found)
    const signature = asString(part.thoughtSignature)
    if (signature) found.signatures += Math.ceil(signature.length / 16)
  }
}

/** 258 tokens an image, page or second of video at 1 frame per second; 32 a second of audio (16 kHz PCM). */
function countBytes(mimeType: string, bytes: number, found: PromptTokens): void {
  if (mimeType.startsWith('image/')) add(found, 'IMAGE', 258)
  else if (mimeType.startsWith('audio/')) add(found, 'AUDIO', Math.max(32, Math.ceil((bytes / 32_000) * 32)))
  else if (mimeType.startsWith('video/')) add(found, 'VIDEO', Math.max(258, Math.ceil(bytes / 100_000) * 258))
  else if (mimeType === 'application/pdf') add(found, 'DOCUMENT', Math.max(258, Math.ceil(bytes / 50_000) * 258))
  else add(found, 'TEXT', Math.ceil(bytes / 4))
}

function add(found: PromptTokens, modality: string, tokens: number): void {
  found.modalities[modality] = (found.modalities[modality] ?? 0) + tokens
}
