/** Recorded answers of Google's through the gateway: what is booked is what they reported, in their own bytes and framings. */
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { callRaw, chunk, gatewayTo, headerOf, message, until, upstream } from './helper.ts'
import { type Header, noRecordings, type RecordedExchange, rawRecordings } from './recordings.ts'

interface Metadata {
  promptTokenCount?: number
  cachedContentTokenCount?: number
  candidatesTokenCount?: number
  thoughtsTokenCount?: number
  toolUsePromptTokenCount?: number
}

interface Chunk {
  usageMetadata?: Metadata
  candidates?: { finishReason?: unknown }[]
}

/** The last value of each field, by plain JSON.parse and nothing of Castor's; null where there is none. */
function reportedIn({ responseBody, responseHeaders }: RecordedExchange): Metadata | null {
  const isPacked = headerOf(responseHeaders, 'content-encoding') === 'gzip'
  const text = (isPacked ? gunzipSync(responseBody) : responseBody).toString()
  const chunks: Chunk[] = text.startsWith('data:')
    ? text.split(/\r?\n\r?\n/).flatMap((event) => (event.startsWith('data: {') ? [JSON.parse(event.slice(6))] : []))
    : [JSON.parse(text)].flat()
  const ends = chunks.filter(({ candidates }) => candidates?.some(({ finishReason }) => finishReason))
  const found = [...chunks, ...ends].flatMap(({ usageMetadata }) => (usageMetadata ? [usageMetadata] : []))
  return found.length === 0 ? null : Object.assign({}, ...found)
}

function isGenerated({ url, status, method }: RecordedExchange): boolean {
  return method === 'POST' && status === 200 && /:(?:generateContent|streamGenerateContent)$/.test(url.pathname)
}

t.test('recorded answers are booked to the token, gzip and all', { skip: noRecordings }, async (t) => {
  const playable = rawRecordings()
    .filter(isGenerated)
    .flatMap((recording) => {
      const usage = reportedIn(recording)
      return usage === null ? [] : [{ recording, usage }]
    })
  let current = playable[0]?.recording
  const peer = await upstream(t, () => {
    if (current === undefined) throw new Error('nothing is played')
    const { responseHeaders, responseBody } = current
    const framing: Header = ['Transfer-Encoding', 'chunked']
    return { slices: [message('HTTP/1.1 200 OK', [...responseHeaders, framing]), chunk(responseBody), '0\r\n\r\n'] }
  })
  const house = await gatewayTo(t, peer.url)
  const reported = { prompt: 0, cached: 0, candidates: 0, thoughts: 0, toolUse: 0 }
  for (const { recording, usage } of playable) {
    current = recording
    const headers: Header[] = [
      ['Host', 'gateway'],
      ['x-goog-api-key', 'key-a'],
      ['Content-Length', String(recording.requestBody.length)],
    ]
    const { pathname, search } = recording.url
    await callRaw(house.url, message(`POST ${pathname}${search} HTTP/1.1`, headers, recording.requestBody)).response
    reported.prompt += usage.promptTokenCount ?? 0
    reported.cached += usage.cachedContentTokenCount ?? 0
    reported.candidates += usage.candidatesTokenCount ?? 0
    reported.thoughts += usage.thoughtsTokenCount ?? 0
    reported.toolUse += usage.toolUsePromptTokenCount ?? 0
  }
  await until(() => house.log.filter(({ msg }) => msg === 'request').length === playable.length)
  const events = (await house.app.castor.books?.ledger.recent(10_000)) ?? []
  t.ok(playable.length > 100, `${playable.length} recordings`)
  t.equal(events.length, playable.length)
  const booked = { prompt: 0, cached: 0, candidates: 0, thoughts: 0, toolUse: 0 }
  for (const { measures, usageSource } of events) {
    for (const name of Object.keys(booked) as (keyof typeof booked)[]) booked[name] += measures[name]
    if (usageSource === 'estimated') t.fail('Gemini said what was used')
  }
  t.strictSame(booked, reported)
})
