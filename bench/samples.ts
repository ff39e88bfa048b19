/**
 * The traffic of every benchmark: a 2 KB question, a 1.6 KB answer, and a stream of events, with the headers and the spacing that
 * Gemini uses. One place, so that the load, the static upstream and the checks agree on every byte.
 */

const prose =
  'Castor was mortal, Pollux was not; when one died the other shared his immortality with him, and since then the two take turns. '

/** Digits in the question that the load counts up: no two questions are equal, so nothing can be answered from memory. */
export const serialDigits = 10
const serialMark = '#'.repeat(serialDigits)

const question = JSON.stringify({
  systemInstruction: { parts: [{ text: 'Answer briefly and name your sources.' }] },
  contents: [{ role: 'user', parts: [{ text: `${serialMark} ${prose.repeat(13)}` }] }],
  generationConfig: { temperature: 0.2, maxOutputTokens: 1024 },
})

/** One question of about 2 KB; each connection has a copy of its own to write the serial number into. */
export function makeQuestion(): { bytes: Buffer; serialAt: number } {
  const bytes = Buffer.from(question)
  return { bytes, serialAt: bytes.indexOf(serialMark) }
}

function usage(candidates: number): object {
  return {
    promptTokenCount: 412,
    candidatesTokenCount: candidates,
    totalTokenCount: 412 + candidates,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: 412 }],
  }
}

/** A whole answer of about 1.6 KB, pretty-printed as Google does. */
export const answer = Buffer.from(
  `${JSON.stringify(
    {
      candidates: [
        {
          content: { parts: [{ text: prose.repeat(8) }], role: 'model' },
          finishReason: 'STOP',
          index: 0,
          avgLogprobs: -0.21,
        },
      ],
      usageMetadata: usage(253),
      modelVersion: 'gemini-2.5-flash',
      responseId: '37-Faqz3N4jltfAPjcuNiAM',
    },
    undefined,
    2,
  )}\n`,
)

export const eventsPerStream = 20

/** The events of a stream, each with usage so far, in Google's spacing. */
export const events: readonly Buffer[] = Array.from({ length: eventsPerStream }, (_, index) => {
  const candidate = {
    content: { parts: [{ text: prose.slice(0, 40 + index * 4) }], role: 'model' },
    ...(index === eventsPerStream - 1 ? { finishReason: 'STOP' } : {}),
    index: 0,
  }
  const event = {
    candidates: [candidate],
    usageMetadata: usage(12 * (index + 1)),
    modelVersion: 'gemini-2.5-flash',
    responseId: '37-Faqz3N4jltfAPjcuNiAM',
  }
  return Buffer.from(`data: ${JSON.stringify(event).replaceAll('":', '": ')}\r\n\r\n`)
})

/** Header lines of Gemini's answers, as recorded. */
export function answerHead(contentType: string, framing: string): string {
  return [
    'HTTP/1.1 200 OK',
    'X-Gemini-Service-Tier: standard',
    `Content-Type: ${contentType}`,
    'Vary: Origin',
    'Vary: X-Origin',
    'Vary: Referer',
    'Date: Wed, 19 Aug 2026 14:38:40 GMT',
    'Server: scaffolding on HTTPServer2',
    'X-XSS-Protection: 0',
    'X-Frame-Options: SAMEORIGIN',
    'X-Content-Type-Options: nosniff',
    'Server-Timing: gfet4t7; dur=868',
    'Alt-Svc: h3=":443"; ma=2592000,h3-29=":443"; ma=2592000',
    framing,
    '',
    '',
  ].join('\r\n')
}

/** Which way the upstream streams; a query parameter tells it. */
export type Manner = 'paced' | 'stamped' | 'held'

/** Request head of a call, ready to be followed by its body. */
export function requestHead(path: string, bodyBytes: number): string {
  return [
    `POST ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'User-Agent: google-genai-sdk/3.1.0 gl-node/v24.21.0',
    'x-goog-api-client: google-genai-sdk/3.1.0 gl-node/v24.21.0',
    'x-goog-api-key: AIzaSyBench0000000000000000000000000000',
    'Content-Type: application/json',
    'Accept: */*',
    'Accept-Encoding: identity',
    `Content-Length: ${bodyBytes}`,
    '',
    '',
  ].join('\r\n')
}

export const unaryPath = '/v1beta/models/gemini-2.5-flash:generateContent'
export const uploadPath = '/upload/v1beta/files'

export function streamPath(manner: Manner): string {
  return `/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse&manner=${manner}`
}
