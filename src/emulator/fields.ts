/** Names and types Google knows in a generate request: the rest is a 400. */
import { type FieldViolation, invalid } from './errors.ts'
import { asObject, asObjects, type Json, type JsonObject } from './json.ts'

const request = names(
  'contents systemInstruction tools toolConfig safetySettings generationConfig cachedContent serviceTier store labels modelArmorConfig continuationToken model',
)
const content = names('role parts')
const part = names(
  'text inlineData fileData functionCall functionResponse executableCode codeExecutionResult toolCall toolResponse thought thoughtSignature videoMetadata mediaResolution partMetadata speechMetadata mediaProcessing audioTranscription',
)
const config = names(
  'temperature topP topK seed candidateCount maxOutputTokens stopSequences presencePenalty frequencyPenalty responseLogprobs logprobs responseMimeType responseSchema responseJsonSchema _responseJsonSchema responseFormat responseModalities speechConfig imageConfig mediaResolution thinkingConfig enableEnhancedCivicAnswers audioTimestamp routingConfig modelConfig modelSelectionConfig translationConfig',
)
const floats = names('temperature topP presencePenalty frequencyPenalty')
const integers = names('topK seed candidateCount maxOutputTokens logprobs')

/** Throws one 400 that lists every unknown name and wrong type, in Google's words; both casings are known. */
export function checkFields(body: JsonObject): void {
  const found: FieldViolation[] = []
  unknown(body, request, '', found)
  messages(body.contents, 'contents', found)
  for (const [index, one] of asObjects(body.contents).entries()) {
    const place = `contents[${index}]`
    unknown(one, content, place, found)
    text(one.role, `${place}.role`, found)
    messages(one.parts, `${place}.parts`, found)
    for (const [number, item] of asObjects(one.parts).entries()) {
      unknown(item, part, `${place}.parts[${number}]`, found)
      text(item.text, `${place}.parts[${number}].text`, found)
    }
  }
  const settings = body.generationConfig ?? body.generation_config
  if (settings !== undefined && settings !== null) settingsOf(settings, found)
  if (found.length > 0) throw invalid(found.map((one) => one.description).join('\n'), found)
}

function settingsOf(value: Json, found: FieldViolation[]): void {
  const settings = asObject(value)
  if (!settings)
    return wrong(
      'generation_config',
      'type.googleapis.com/google.ai.generativelanguage.v1beta.GenerationConfig',
      value,
      found,
    )
  unknown(settings, config, 'generation_config', found)
  for (const [name, item] of Object.entries(settings)) {
    const known = camel(name)
    const type = floats.has(known) ? 'TYPE_FLOAT' : integers.has(known) ? 'TYPE_INT32' : undefined
    // protobuf JSON also takes numbers in quotes
    const number = typeof item === 'string' && item.trim() !== '' ? Number(item) : item
    if (type === undefined || item === null || item === undefined) continue
    const fits =
      typeof number === 'number' && Number.isFinite(number) && (type === 'TYPE_FLOAT' || Number.isInteger(number))
    if (!fits) wrong(`generation_config.${snake(known)}`, type, item, found)
  }
}

function unknown(object: JsonObject, known: Set<string>, place: string, found: FieldViolation[]): void {
  for (const name in object) {
    if (known.has(name) || known.has(camel(name))) continue
    const at = place === '' ? '' : ` at '${place}'`
    const description = `Invalid JSON payload received. Unknown name "${name}"${at}: Cannot find field.`
    found.push(place === '' ? { description } : { field: place, description })
  }
}

/** A list of messages, or one without brackets. */
function messages(value: Json | undefined, place: string, found: FieldViolation[]): void {
  if (value === undefined || value === null) return
  const items = Array.isArray(value) ? value : [value]
  for (const [index, item] of items.entries()) {
    if (!asObject(item))
      wrong(
        Array.isArray(value) ? `${place}[${index}]` : place,
        'type.googleapis.com/google.ai.generativelanguage.v1beta.Content',
        item,
        found,
      )
  }
}

function text(value: Json | undefined, place: string, found: FieldViolation[]): void {
  if (value !== undefined && value !== null && typeof value !== 'string') wrong(place, 'TYPE_STRING', value, found)
}

function wrong(place: string, type: string, value: Json, found: FieldViolation[]): void {
  const shown = typeof value === 'object' ? '' : `, ${JSON.stringify(value)}`
  found.push({ field: place, description: `Invalid value at '${place}' (${type})${shown}` })
}

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function names(list: string): Set<string> {
  return new Set(list.split(' '))
}
