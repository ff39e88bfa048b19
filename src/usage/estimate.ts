// Tokens guessed from bytes, for calls about which Gemini said nothing. Whatever comes from here is booked as estimated.

// About four bytes of English JSON text per token; inline media would be counted absurdly by bytes, hence the bound.
const bytesPerToken = 4
const mostPromptTokens = 1_048_576
const mostOutputTokens = 65_536

/** Prompt tokens of a request body of `bytes`, at most Gemini's context window. src/context estimates better when it is asked. */
export function estimatePrompt(bytes: number): number {
  return Math.min(mostPromptTokens, Math.ceil(bytes / bytesPerToken))
}

/** Output tokens of `bytes` of delivered text, at most what one request may produce. */
export function estimateOutput(bytes: number): number {
  return Math.min(mostOutputTokens, Math.ceil(bytes / bytesPerToken))
}

// What wraps the text of one event: candidate, role, usage and ids, as recorded streams have it.
const envelopeBytes = 400

/** Bytes of text in `wireBytes` of a stream (not compressed) with `events` events, when nobody counted the text itself. */
export function estimateTextBytes(wireBytes: number, events: number): number {
  return Math.max(0, wireBytes - events * envelopeBytes)
}
