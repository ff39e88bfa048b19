/** What server-side tools leave in an answer: searches, read pages, and the input tokens they cost. */
import { asObjects, type JsonObject } from './json.ts'
import { between, createRandom } from './random.ts'
import { keywords } from './text.ts'

export interface Grounding {
  /** Fields for the candidate's last chunk. */
  fields: JsonObject
  /** toolUsePromptTokenCount */
  tokens: number
}

/** Google Search grounds every answer it may; URL context and code execution add input tokens of their own. */
export function groundingOf(body: JsonObject, prompt: string, text: string, seed: number): Grounding {
  const tools = asObjects(body.tools)
  const random = createRandom(seed ^ 0x7001)
  const grounding: Grounding = { fields: {}, tokens: 0 }
  if (tools.some((tool) => tool.urlContext !== undefined || tool.codeExecution !== undefined)) {
    grounding.tokens = between(random, 80, 800)
  }
  if (tools.some((tool) => tool.urlContext !== undefined)) {
    const urls = [...prompt.matchAll(/https?:\/\/[^\s"'<>]+/g)].map((match) => match[0])
    const urlMetadata = urls.map((retrievedUrl) => ({
      retrievedUrl,
      urlRetrievalStatus: 'URL_RETRIEVAL_STATUS_SUCCESS',
    }))
    grounding.fields.urlContextMetadata = { urlMetadata }
  }
  if (
    text !== '' &&
    tools.some((tool) => tool.googleSearch !== undefined || tool.googleSearchRetrieval !== undefined)
  ) {
    const queries = searches(prompt, between(random, 1, 3))
    const supported = text.split(/(?<=\.)\s/)[0] ?? text
    grounding.fields.groundingMetadata = {
      searchEntryPoint: { renderedContent: `<div class="container">${queries.join(' ')}</div>` },
      groundingChunks: queries.map((query) => ({
        web: {
          uri: `https://vertexaisearch.cloud.google.com/grounding-api-redirect/${encodeURIComponent(query)}`,
          title: 'example.com',
        },
      })),
      // indices count UTF-8 bytes
      groundingSupports: [
        { segment: { endIndex: Buffer.byteLength(supported), text: supported }, groundingChunkIndices: [0] },
      ],
      webSearchQueries: queries,
    }
  }
  return grounding
}

function searches(prompt: string, count: number): string[] {
  const words = keywords(prompt)
  const queries = new Set<string>()
  for (let index = 0; index < count; index++)
    queries.add(words.slice(index, index + 4).join(' ') || prompt.slice(0, 60))
  return [...queries]
}
