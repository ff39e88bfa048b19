/**
 * Requests that two readers would cut at different places. Each case hides a second request: Gemini must never be asked for it. The cases
 * are those of the suites that proxies are tested with (h1spec; the classes of http-desync-guardian), written anew.
 */
import t from 'tap'
import { gatewayTo, upstream } from './helper.ts'
import { generate, request, talk } from './nemesis.ts'

const answer = { slices: ['HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}'] }
const hidden = 'GET /v1beta/hidden HTTP/1.1\r\nHost: gateway\r\nx-goog-api-key: k\r\n\r\n'
const line = `POST ${generate}`
const key = 'x-goog-api-key: k'
const chunked = 'Transfer-Encoding: chunked'
/** A request with these header lines, its body, and what is hidden behind. */
const lines = (headers: string[], body = '') => request(line, [key, ...headers], body) + hidden
const chunks = (body: string) => lines([chunked], body)
const length = (value: string) => lines([`Content-Length: ${value}`], '{}')
const coding = (value: string) => lines([`Transfer-Encoding: ${value}`], '2\r\n{}\r\n0\r\n\r\n')
const head = (text: string) => `${text}\r\n\r\n${hidden}`

/** Number of answers in what a connection sent. */
const answersIn = (text: string) => text.match(/HTTP\/1\.1 \d{3} /g)?.length ?? 0

const refused: Record<string, Record<string, string>> = {
  'two framings': {
    'a length before chunks': lines(['Content-Length: 4', chunked], '0\r\n\r\n'),
    'a length after chunks': lines([chunked, 'Content-Length: 4'], '0\r\n\r\n'),
    'a length of 0 and chunks': lines(['Content-Length: 0', chunked], '2\r\n{}\r\n0\r\n\r\n'),
    'a length and chunks in other case': lines(['CONTENT-LENGTH: 4', 'tRANSFER-eNCODING: CHUNKED'], '0\r\n\r\n'),
    'a length and identity': lines(['Content-Length: 2', 'Transfer-Encoding: identity'], '{}'),
    'two lengths': lines(['Content-Length: 2', 'Content-Length: 3'], '{}'),
    'two equal lengths': lines(['Content-Length: 2', 'Content-Length: 2'], '{}'),
    'two lengths in other case': lines(['Content-Length: 2', 'content-length: 70'], '{}'),
  },
  'a length that is no plain number': {
    'with a plus': length('+2'),
    negative: length('-2'),
    hexadecimal: length('0x2'),
    'a list': length('2, 2'),
    'a list of two values': length('2,70'),
    'with a space inside': length('2 0'),
    'with a fraction': length('2.0'),
    'with an exponent': length('2e0'),
    'with letters': length('2x'),
    quoted: length('"2"'),
    empty: length(''),
    'larger than any integer': length('9'.repeat(40)),
    'a little larger than 64 bits': length('18446744073709551618'),
    'with NUL': length('2\0'),
    'with a form feed': length('\f2'),
    'with a no-break space': length('\xa02'),
  },
  'a coding that is not exactly chunked': {
    'with a letter before': coding('xchunked'),
    'with a letter behind': coding('chunkedx'),
    'in quotes': coding('"chunked"'),
    'with a vertical tab': coding('\vchunked'),
    'with NUL': coding('chunked\0'),
    'with a no-break space': coding('\xa0chunked'),
    'chunked before identity': coding('chunked, identity'),
    'chunked before gzip': coding('chunked, gzip'),
    identity: coding('identity'),
    empty: coding(''),
    'in two lines, the last not chunked': lines([chunked, 'Transfer-Encoding: identity'], '0\r\n\r\n'),
  },
  'a header line that is none': {
    'space before the colon': lines(['Content-Length : 2'], '{}'),
    'tab before the colon': lines(['Transfer-Encoding\t: chunked'], '0\r\n\r\n'),
    'no colon': lines(['Content-Length 2'], '{}'),
    'no name': lines([': 2'], '{}'),
    'a space in the name': lines(['Content Length: 2'], '{}'),
    'NUL in the name': lines(['Content-\0Length: 2'], '{}'),
    'a form feed in the name': lines(['Content-Length\f: 2'], '{}'),
    'a byte beyond ASCII in the name': lines(['Content-L\xe9ngth: 2'], '{}'),
    'a bracket in the name': lines(['Content[Length]: 2'], '{}'),
    'NUL in a value': lines(['x-goog-a: a\0b', 'Content-Length: 2'], '{}'),
    'a lone CR in a value': lines(['x-goog-a: a\rTransfer-Encoding: chunked', 'Content-Length: 2'], '{}'),
    'a folded line': lines(['x-goog-a: a\r\n Transfer-Encoding: chunked', 'Content-Length: 2'], '{}'),
    'a folded length': lines(['Content-Length:\r\n 2'], '{}'),
    'a folded coding': lines(['Transfer-Encoding:\r\n\tchunked'], '0\r\n\r\n'),
    'a folded first line': request(line, [key]).replace('\r\nHost', '\r\n Host') + hidden,
  },
  'line ends that are not CRLF': {
    'LF alone': lines(['Content-Length: 2'], '{}').replaceAll('\r\n', '\n'),
    'LF after one header': lines(['x-goog-a: a', 'Content-Length: 2'], '{}').replace('a\r\n', 'a\n'),
    'LF after the request line': lines(['Content-Length: 2'], '{}').replace('HTTP/1.1\r\n', 'HTTP/1.1\n'),
    'CR alone': lines(['Content-Length: 2'], '{}').replaceAll('\r\n', '\r'),
    'LF LF before the body': request(line, [key, 'Content-Length: 2']).replace(/\r\n\r\n$/, '\n\n{}') + hidden,
    'CR CR LF': lines(['x-goog-a: a', 'Content-Length: 2'], '{}').replace('a\r\n', 'a\r\r\n'),
  },
  'a request line that is none': {
    'a tab': head(`POST\t${generate}\tHTTP/1.1\r\nHost: gateway\r\n${key}`),
    'one word more': head(`POST ${generate} HTTP/1.1 x\r\nHost: gateway\r\n${key}`),
    'no version': head(`POST ${generate}\r\nHost: gateway\r\n${key}`),
    'HTTP/0.9': head('GET /v1beta/models'),
    'HTTP/1.2': head(`GET /v1beta/models HTTP/1.2\r\nHost: gateway\r\n${key}`),
    'HTTP/2.0': head(`GET /v1beta/models HTTP/2.0\r\nHost: gateway\r\n${key}`),
    'http in lower case': head(`GET /v1beta/models http/1.1\r\nHost: gateway\r\n${key}`),
    'another protocol': head(`GET /v1beta/models ICY/1.1\r\nHost: gateway\r\n${key}`),
    'a method in lower case': head(`get /v1beta/models HTTP/1.1\r\nHost: gateway\r\n${key}`),
    'a space before the method': head(` GET /v1beta/models HTTP/1.1\r\nHost: gateway\r\n${key}`),
    'NUL in the path': head(`GET /v1beta/mo\0dels HTTP/1.1\r\nHost: gateway\r\n${key}`),
    'a space in the path': head(`GET /v1beta/mo dels HTTP/1.1\r\nHost: gateway\r\n${key}`),
  },
  'chunks that are none': {
    'a size with 0x': chunks('0x2\r\n{}\r\n0\r\n\r\n'),
    'a size with a plus': chunks('+2\r\n{}\r\n0\r\n\r\n'),
    'a negative size': chunks('-2\r\n{}\r\n0\r\n\r\n'),
    'a size with a space before': chunks(' 2\r\n{}\r\n0\r\n\r\n'),
    'a size with a space behind': chunks('2 \r\n{}\r\n0\r\n\r\n'),
    'a size larger than 64 bits': chunks('10000000000000002\r\n{}\r\n0\r\n\r\n'),
    'no size': chunks('\r\n{}\r\n0\r\n\r\n'),
    'a size that ends with LF': chunks('2\n{}\r\n0\r\n\r\n'),
    'an extension with LF': chunks('2;a\n\r\n{}\r\n0\r\n\r\n'),
    'an extension with a lone CR': chunks('2;a\rb\r\n{}\r\n0\r\n\r\n'),
    'data longer than its size': chunks('1\r\n{}\r\n0\r\n\r\n'),
    'data that ends with LF': chunks('2\r\n{}\n0\r\n\r\n'),
    'data that ends without anything': chunks('2\r\n{}0\r\n\r\n'),
    'a length among the trailers': chunks('2\r\n{}\r\n0\r\nContent-Length: 1\r\n\r\n'),
    'a last chunk that ends with LF': chunks('2\r\n{}\r\n0\n\n'),
  },
  'hosts that disagree': {
    'two Host headers': lines(['Host: evil.example', 'Content-Length: 2'], '{}'),
    'two equal Host headers': lines(['Host: gateway', 'Content-Length: 2'], '{}'),
    'two Host headers in other case': lines(['hOST: evil.example', 'Content-Length: 2'], '{}'),
    'space before the colon of Host': lines(['Host : evil.example', 'Content-Length: 2'], '{}'),
  },
}

for (const [family, cases] of Object.entries(refused)) {
  t.test(`${family}: refused, and the connection ends`, async (t) => {
    const peer = await upstream(t, () => answer)
    const { url } = await gatewayTo(t, peer.url)
    for (const [title, bytes] of Object.entries(cases)) {
      const { text, end } = await talk(url, bytes, 2000)
      t.match(text, /^HTTP\/1\.1 400 Bad Request\r\n/, title)
      t.match(text, /"reason": "CASTOR_BAD_REQUEST"/, `${title}: in Gemini’s shape`)
      t.equal(answersIn(text), 1, `${title}: one answer`)
      t.not(end, 'open', `${title}: closed`)
    }
    t.same(peer.requests, [], 'Gemini has heard nothing')
  })
}

t.test('what has one meaning only is asked once, with its own framing', async (t) => {
  const peer = await upstream(t, () => answer)
  const { url } = await gatewayTo(t, peer.url)
  const body = hidden
  const sound: Record<string, string> = {
    'a request inside a body': request(line, [key, `Content-Length: ${body.length}`], body),
    'a request inside a chunk': request(line, [key, chunked], `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`),
    'chunks with extensions': request(
      line,
      [key, chunked],
      `${body.length.toString(16)};a="b"\r\n${body}\r\n0\r\n\r\n`,
    ),
    'chunks with trailers': request(
      line,
      [key, chunked],
      `${body.length.toString(16)}\r\n${body}\r\n0\r\nX-Sum: 1\r\n\r\n`,
    ),
    'CHUNKED in capitals': request(
      line,
      [key, 'Transfer-Encoding: CHUNKED'],
      `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ),
    'leading zeros of a chunk size': request(
      line,
      [key, chunked],
      `000${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ),
    'a header that only looks like one': request(
      line,
      [key, 'Transfer_Encoding: chunked', `Content-Length: ${body.length}`],
      body,
    ),
    'an empty line before the request': `\r\n${request(line, [key, `Content-Length: ${body.length}`], body)}`,
  }
  for (const [title, bytes] of Object.entries(sound)) {
    const before = peer.requests.length
    const { text } = await talk(url, bytes)
    t.match(text, /^HTTP\/1\.1 200 OK\r\n/, title)
    t.equal(answersIn(text), 1, `${title}: one answer`)
    t.equal(peer.requests.length, before + 1, `${title}: one request`)
    const seen = peer.requests.at(-1)
    t.equal(seen?.body.toString(), body, `${title}: its body`)
    t.same(
      seen?.headers.filter(([name]) => /^(?:content-length|transfer-encoding)$/i.test(name)),
      [['content-length', String(body.length)]],
      `${title}: one length`,
    )
  }
})

t.test('a body where none is expected is not taken for a request', async (t) => {
  const peer = await upstream(t, () => answer)
  const { url } = await gatewayTo(t, peer.url)
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS']) {
    await talk(url, request(`${method} /v1beta/files/a`, [`Content-Length: ${hidden.length}`], hidden))
    await talk(
      url,
      request(`${method} /v1beta/files/a`, [chunked], `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`),
    )
  }
  t.equal(peer.requests.length, 8)
  t.same(
    peer.requests.filter(({ url }) => url.includes('hidden')),
    [],
  )
})

t.test('the body of a refused request is not taken for a request', async (t) => {
  const peer = await upstream(t, () => answer)
  const { url } = await gatewayTo(t, peer.url, 'limits: { body: 1KB }')
  const large = `${hidden}${'x'.repeat(2000)}`
  for (const bytes of [
    request(line, ['x-goog-api-key:', `Content-Length: ${hidden.length}`], hidden),
    request(line, [key, `Content-Length: ${large.length}`], large),
    request(line, [key, 'x-castor-tags: ?', `Content-Length: ${hidden.length}`], hidden),
    request('PROPFIND /', [key, `Content-Length: ${hidden.length}`], hidden),
  ]) {
    const { text, end } = await talk(url, bytes, 1000)
    t.match(text, /^HTTP\/1\.1 4\d\d /)
    t.equal(answersIn(text), 1, 'one answer')
    t.not(end, 'open')
  }
  t.same(peer.requests, [])
})

t.test('requests in a row are answered in a row', async (t) => {
  const peer = await upstream(t, ({ url }) => ({
    slices: [`HTTP/1.1 200 OK\r\ncontent-length: ${url.length}\r\n\r\n${url}`],
  }))
  const { url } = await gatewayTo(t, peer.url)
  const paths = ['/v1beta/models/a', '/v1beta/models/b', '/v1beta/models/c']
  const { text } = await talk(url, paths.map((path) => request(`GET ${path}`)).join(''))
  t.same(text.match(/\/v1beta\/models\/\w/g), paths)
})

t.test('garbage behind a request is neither answered inside its answer nor instead of it', async (t) => {
  const begun =
    'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n8\r\ndata: 1\n\r\n'
  for (const slices of [[begun], []]) {
    const peer = await upstream(t, () => ({ slices }))
    const { url } = await gatewayTo(t, peer.url)
    const first = request(
      'POST /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse',
      ['Content-Length: 2'],
      '{}',
    )
    const { text, end } = await talk(url, [first, 'NOT HTTP\r\n\r\n'], 3000)
    t.notMatch(text, /400|CASTOR/)
    t.not(end, 'open')
  }
})
