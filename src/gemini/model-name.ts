/** A model's name as Google writes them: lower case, digits, dots and dashes, with a version behind `@` on Vertex. */
const pattern = /^[a-z][a-z0-9.-]{0,79}(?:@[a-z0-9.-]{1,20})?$/

/**
 * The name itself, or null. Whatever else stands where a model belongs may be a key that somebody has put there: it goes to Gemini, and is
 * neither logged, counted, kept nor shown.
 */
export function modelName(text: string | null | undefined): string | null {
  return text != null && pattern.test(text) ? text : null
}

/** Whether a text is the name of a model. */
export function isModelName(text: string): boolean {
  return pattern.test(text)
}
