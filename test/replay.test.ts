/**
 * Recorded traffic through the gateway, byte for byte: what Google was sent arrives upstream, what Google answered arrives at the client.
 * Both sides are raw sockets, so that no HTTP library on either side hides a change.
 */
import t from 'tap'
import { callRaw, chunk, gatewayTo, headerOf, message, until, upstream } from './helper.ts'
import { type Header, noRecordings, type RecordedExchange, rawRecordings } from './recordings.ts'

/** Names the recording to the upstream; x-goog-* headers pass. */
const marker = 'x-goog-recording'

/** What never reaches a client: connection matters, the way past us, and request headers that Google's download redirect echoes. */
const droppedOnTheWayBack = /^(alt-svc|x-goog-api-key|accept|accept-encoding|host|user-agent)$/i
/** What the gateway and its HTTP server add to an answer. */
const addedOnTheWayBack =
  /^(x-castor-[a-z-]+|cache-status|age|server-timing|x-accel-buffering|connection|keep-alive|transfer-encoding|content-length|date)$/i
/** Addresses that are moved to the gateway. */
const moved = /^(x-goog-upload-url|x-goog-upload-control-url|location)$/i
/** What undici sets itself on the way up. */
const ofTheConnection = /^(host|connection|content-length)$/i

t.test('recorded traffic passes unchanged', { skip: noRecordings }, async (t) => {
  const recordings = rawRecordings().map(withCapitals)
  const peer = await upstream(t, (request) => {
    const recording = recordings[Number(headerOf(request.headers, marker))]
    if (recording === undefined) throw new Error('a request that was not replayed')
    return { slices: playOf(recording, random(recording.responseBody.length)) }
  })
  const { url } = await gatewayTo(t, peer.url)
  const waiting = recordings.map((recording, index) => ({ recording, index }))
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { recording, index } = next
      const sent = requestOf(recording, index)
      const got = await callRaw(url, message(sent.start, sent.headers, recording.requestBody)).response
      const arrived = peer.requests.find(({ headers }) => headerOf(headers, marker) === String(index))
      t.test(recording.name, async (t) => {
        t.equal(got.status, recording.status, 'status')
        t.ok(got.complete, 'the answer ends as its framing promises')
        t.ok(got.body.equals(recording.responseBody), 'answer bytes')
        const passed = (headers: Header[]) =>
          headers.filter(([name]) => !addedOnTheWayBack.test(name) && !moved.test(name))
        t.strictSame(
          ordered(passed(got.headers), recording),
          ordered(
            passed(recording.responseHeaders).filter(([name]) => !droppedOnTheWayBack.test(name)),
            recording,
          ),
          'answer headers',
        )
        for (const [name, value] of recording.responseHeaders.filter(([name]) => moved.test(name)))
          t.strictSame(
            address(headerOf(got.headers, name)),
            { ...address(value), origin: 'http://gateway' },
            `${name} is moved here`,
          )
        const timing = headerOf(recording.responseHeaders, 'server-timing')
        t.ok(timing === undefined || got.headers.some(([, value]) => value === timing), "Google's server-timing stays")
        t.match(headerOf(got.headers, 'x-castor-request-id'), /./, 'request id')
        t.equal(
          headerOf(got.headers, 'content-length'),
          recording.chunked ? undefined : String(got.body.length),
          'framing',
        )

        t.equal(arrived?.method, recording.method, 'method')
        t.equal(arrived?.url, pathOf(recording), 'path and query')
        t.ok(arrived?.body.equals(recording.requestBody), 'request bytes')
        t.strictSame(
          arrived?.headers.filter(([name]) => !ofTheConnection.test(name)),
          sent.headers.filter(([name]) => !ofTheConnection.test(name) && name !== 'Cache-Control'),
          'request headers',
        )
      })
    }
  }
  await Promise.all([work(), work(), work(), work()])
  t.equal(peer.requests.length, recordings.length, 'every recording was asked once')
  t.ok(recordings.length > 300, 'the recordings are all there')
})

t.test('each piece of a stream reaches the client before the next one is sent', async (t) => {
  const pieces = ['data: {"a": 1}\r\n\r\n', 'data: {"b', '": "\u00fc', '"}\r\n\r\n', 'data: {}\r\n\r\n']
  let seen = 0
  const arrival = (): Promise<void> =>
    until(() => call.received > seen, 5000, 'the piece before').then(() => {
      seen = call.received
    })
  const peer = await upstream(t, () => ({
    slices: [
      'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n',
      arrival,
      ...pieces.flatMap((piece) => [chunk(piece), arrival]),
      '0\r\n\r\n',
    ],
  }))
  const { url } = await gatewayTo(t, peer.url)
  const headers: Header[] = [
    ['Host', 'gateway'],
    ['x-goog-api-key', 'a-key'],
    ['Content-Length', '2'],
  ]
  const start = 'POST /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse HTTP/1.1'
  const call = callRaw(url, message(start, headers, '{}'))
  const { pieces: got, complete } = await call.response
  t.ok(complete)
  t.strictSame(got.map(String), pieces, 'in the pieces in which they were sent')
})

/** The request as a client of the gateway sends it. */
function requestOf(recording: RecordedExchange, index: number): { start: string; headers: Header[] } {
  const headers = [...recording.requestHeaders]
  const keyed = headers.some(([name]) => /^(x-goog-api-key|authorization)$/i.test(name))
  if (!keyed) headers.push(['x-goog-api-key', 'a-key'])
  headers.push([marker, String(index)])
  if (recording.method !== 'GET' && (recording.method !== 'DELETE' || recording.requestBody.length > 0))
    headers.push(['Content-Length', String(recording.requestBody.length)])
  // Answers to questions that some recordings share come from upstream each time.
  headers.push(['Cache-Control', 'no-store'])
  return { start: `${recording.method} ${pathOf(recording)} HTTP/1.1`, headers: [['Host', 'gateway'], ...headers] }
}

function pathOf({ url }: RecordedExchange): string {
  return url.pathname + url.search
}

/** Pass-through hands on names in lower case and grouped; model calls keep case and order. */
function ordered(headers: Header[], { url, method }: RecordedExchange): Header[] {
  if (
    method === 'POST' &&
    /:(generateContent|streamGenerateContent|countTokens|batchEmbedContents)$/.test(url.pathname)
  )
    return headers
  return headers
    .map(([name, value]): Header => [name.toLowerCase(), value])
    .sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0))
}

/** An address without the proof of ownership that the gateway adds to it. */
function address(text: string | undefined) {
  const { origin, pathname, searchParams } = new URL(text ?? 'none:')
  const query = [...searchParams].filter(([name]) => !name.startsWith('castor'))
  return { origin, pathname, query }
}

/** The recorded answer in slices: a body that came in chunks is cut at random places, and so is what the cuts leave. */
function playOf(recording: RecordedExchange, next: () => number): Buffer[] {
  const { responseBody, responseHeaders, chunked } = recording
  const framing: Header = chunked ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(responseBody.length)]
  const head = message(`HTTP/1.1 ${recording.status} Recorded`, [...responseHeaders, framing])
  const parts = cut(responseBody, recording.streaming ? 12 : 2, next)
  const body = chunked ? [...parts.map(chunk), Buffer.from('0\r\n\r\n')] : parts
  return [...cut(head, 1, next), ...body.flatMap((part) => cut(part, 1, next))]
}

/** Cuts bytes into at most `cuts + 1` pieces, none of them empty. */
function cut(bytes: Buffer, cuts: number, next: () => number): Buffer[] {
  const places = Array.from({ length: cuts }, () => Math.floor(next() * bytes.length)).sort((one, other) => one - other)
  return [0, ...places]
    .map((from, index) => bytes.subarray(from, places[index] ?? bytes.length))
    .filter((piece) => piece.length > 0)
}

/** Recordings hold names in lower case; clients and Google send both forms, so every other one is played with capitals. */
function withCapitals(recording: RecordedExchange, index: number): RecordedExchange {
  if (index % 2 === 0) return recording
  const capitals = (headers: Header[]) => headers.map(([name, value]): Header => [capitalised(name), value])
  return {
    ...recording,
    requestHeaders: capitals(recording.requestHeaders),
    responseHeaders: capitals(recording.responseHeaders),
  }
}

function capitalised(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase())
}

/** A small generator with a seed (mulberry32): numbers from 0 to 1, the same in every run. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
