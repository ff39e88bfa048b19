/** Enum names as the integers that `$alt=json;enum-encoding=int` asks for (proto v1beta). */
import type { Json, JsonObject } from './json.ts'

const finishReason = names(
  'FINISH_REASON_UNSPECIFIED STOP MAX_TOKENS SAFETY RECITATION OTHER LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII MALFORMED_FUNCTION_CALL IMAGE_SAFETY UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS',
)
const blockReason = names('BLOCK_REASON_UNSPECIFIED SAFETY OTHER BLOCKLIST PROHIBITED_CONTENT IMAGE_SAFETY')
const modality = names('MODALITY_UNSPECIFIED TEXT IMAGE VIDEO AUDIO DOCUMENT')
const probability = names('HARM_PROBABILITY_UNSPECIFIED NEGLIGIBLE LOW MEDIUM HIGH')
const category = names(
  'HARM_CATEGORY_UNSPECIFIED HARM_CATEGORY_DEROGATORY HARM_CATEGORY_TOXICITY HARM_CATEGORY_VIOLENCE HARM_CATEGORY_SEXUAL HARM_CATEGORY_MEDICAL HARM_CATEGORY_DANGEROUS HARM_CATEGORY_HARASSMENT HARM_CATEGORY_HATE_SPEECH HARM_CATEGORY_SEXUALLY_EXPLICIT HARM_CATEGORY_DANGEROUS_CONTENT HARM_CATEGORY_CIVIC_INTEGRITY',
)
const fields: Record<string, Map<string, number>> = { finishReason, blockReason, modality, probability, category }

/** A copy in which known enum fields hold integers; names this proto lacks stay names. Function arguments are data. */
export function enumsAsIntegers(value: Json): Json {
  if (Array.isArray(value)) return value.map(enumsAsIntegers)
  if (typeof value !== 'object' || value === null) return value
  const copy: JsonObject = {}
  for (const [name, item] of Object.entries(value)) {
    if (item === undefined) continue
    const integer = typeof item === 'string' ? fields[name]?.get(item) : undefined
    copy[name] = integer ?? (name === 'args' || name === 'response' ? item : enumsAsIntegers(item))
  }
  return copy
}

function names(list: string): Map<string, number> {
  return new Map(list.split(' ').map((name, index) => [name, index]))
}
