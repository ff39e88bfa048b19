// Which operations Google charges for by tokens.

const billed: ReadonlySet<string> = new Set([
  'generateContent',
  'streamGenerateContent',
  'embedContent',
  'batchEmbedContents',
  'batchGenerateContent',
  'asyncBatchEmbedContent',
  'chat.completions',
  'embeddings',
  'interactions',
  'live',
  'predict',
  'predictLongRunning',
  'images.generations',
])

/** Does this operation cost money? countTokens, lists, files and polling do not. */
export function isBilled(operation: string): boolean {
  return billed.has(operation)
}
