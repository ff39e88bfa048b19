import fc from 'fast-check'
import t from 'tap'
import { canonicalPath, readTarget, type Target } from '../src/gemini/target.ts'
import { hasUnsafeSegments } from '../src/gemini/unsafe-path.ts'

const model = '/v1beta/models/gemini-2.5-flash'

t.test('tells the model calls of every surface', async (t) => {
  const calls: [url: string, expected: Partial<Target>][] = [
    [
      `${model}:generateContent`,
      { operation: 'generateContent', dialect: 'native', model: 'gemini-2.5-flash', version: 'v1beta' },
    ],
    [`${model}:countTokens`, { operation: 'countTokens', framing: 'unary' }],
    [`${model}:embedContent`, { operation: 'embedContent' }],
    [`${model}:batchEmbedContents`, { operation: 'batchEmbedContents' }],
    ['/v1/models/gemini-2.5-flash:generateContent', { version: 'v1' }],
    ['/v1alpha/models/gemini-2.5-flash:generateContent', { version: 'v1alpha' }],
    ['/v1beta/tunedModels/mine:generateContent', { model: 'mine' }],
    [`${model}%3AgenerateContent`, { operation: 'generateContent', model: 'gemini-2.5-flash' }],
    ['/v1beta/models/models%2Fgemini-2.5-flash:generateContent', { model: 'gemini-2.5-flash' }],
    [`${model}:generateContent/`, { operation: 'generateContent' }],
    ['/v1beta/openai/chat/completions', { operation: 'chat.completions', dialect: 'openai', model: null }],
    ['/v1beta/openai/embeddings', { operation: 'embeddings', dialect: 'openai' }],
    ['/v1beta/interactions', { operation: 'interactions', dialect: 'interactions' }],
    [
      '/v1/projects/p/locations/europe-west4/publishers/google/models/gemini-2.5-flash:generateContent',
      { operation: 'generateContent', vertexLocation: 'europe-west4' },
    ],
    [
      '/v1/publishers/google/models/gemini-2.5-flash:generateContent',
      { operation: 'generateContent', vertexLocation: 'global' },
    ],
    [
      '/v1/projects/p/locations/us-central1/endpoints/openapi/chat/completions',
      { operation: 'chat.completions', dialect: 'openai', vertexLocation: 'us-central1' },
    ],
  ]
  for (const [url, expected] of calls) t.match(readTarget('POST', url), { traffic: 'model', ...expected }, url)
})

t.test('everything else is passed through or is a websocket', async (t) => {
  const other = [
    '/v1beta/models',
    `${model}:predict`,
    '/v1beta/files/a',
    '/',
    '',
    '/v1beta/openai/models',
    '/models:generateContent',
    '/v1beta/interactions/x',
  ]
  for (const url of other) t.match(readTarget('POST', url), { traffic: 'other', operation: null }, url)
  t.match(readTarget('GET', `${model}:generateContent`), { traffic: 'other', model: null }, 'a GET is no model call')
  const live = '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent'
  for (const url of [live, `/${live}`, `${live}?key=k`])
    t.match(readTarget('GET', url), { traffic: 'live', path: live }, url)
})

t.test('alt alone decides how a stream is framed', async (t) => {
  const url = `${model}:streamGenerateContent`
  t.equal(readTarget('POST', url).framing, 'array')
  t.equal(readTarget('POST', `${url}?alt=sse`).framing, 'sse')
  t.equal(readTarget('POST', `${url}?alt=SSE`).framing, 'sse')
  t.equal(readTarget('POST', `${url}?%24alt=sse`).framing, 'sse')
  t.equal(readTarget('POST', `${url}?alt=json`).framing, 'array')
  t.equal(readTarget('POST', `${model}:generateContent?alt=sse`).framing, 'unary')
})

t.test('paths that SDKs produce become the ones Google knows', async (t) => {
  const pairs = [
    ['//v1beta/models', '/v1beta/models'],
    ['/v1beta/v1beta/models', '/v1beta/models'],
    ['/v1/v1beta/models', '/v1beta/models'],
    ['/v1beta/upload/v1beta/files', '/upload/v1beta/files'],
    ['/v1/ws/x', '/ws/x'],
    ['/models/gemini-2.5-flash:generateContent', `${model}:generateContent`],
    ['/openai/chat/completions', '/v1beta/openai/chat/completions'],
  ] as const
  for (const [from, to] of pairs) t.equal(canonicalPath(from), to)
  for (const kept of ['/v1beta//models', '/v1beta/models/', '/v1beta/models%2Fx', '/upload/v1beta/files'])
    t.equal(canonicalPath(kept), kept)
})

t.test('the authority of an absolute URL is dropped', async (t) => {
  t.equal(readTarget('GET', 'http://evil.example/v1beta/models?a=b').path, '/v1beta/models')
  t.equal(readTarget('GET', 'https://user:pass@evil.example').path, '/')
  t.equal(readTarget('GET', '/http://evil.example/').path, '/http://evil.example/')
})

t.test('credentials and our own parameter leave the query, the rest stays byte for byte', async (t) => {
  const target = readTarget(
    'POST',
    '/upload/v1beta/files?upload_id=u%2F1&key=a%2Bb&%24alt=json;enum-encoding=int&castor_upload=p.q&x=%zz&x',
  )
  t.match(target, {
    queryKey: 'a+b',
    uploadId: 'u/1',
    uploadProof: 'p.q',
    search: '?upload_id=u%2F1&%24alt=json;enum-encoding=int&x=%zz&x',
  })
  t.equal(readTarget('GET', '/v1beta/models?key=').queryKey, null)
  t.match(readTarget('GET', '/v1beta/models?key=a&key=b&%6Bey=c'), { queryKey: 'a', search: '' })
  t.match(readTarget('GET', '/ws/x?access_token=auth_tokens%2Fa'), {
    accessToken: 'auth_tokens/a',
    search: '?access_token=auth_tokens%2Fa',
  })
})

t.test('routes are templates: no name that a client chose is in them', async (t) => {
  const pairs = [
    [`${model}:generateContent`, '/v1beta/models/:model:generateContent'],
    [`${model}:inventedVerb`, '/v1beta/models/:model:*'],
    ['/v1beta/files/secret-id:download', '/v1beta/files/:id:download'],
    ['/v1beta/models/a/operations/b', '/v1beta/models/:model/operations/:id'],
    ['/wp-login.php', '/*'],
    ['/v99/models', '/v*/models'],
    [
      '/v1/projects/my-project/locations/eu/publishers/google/models/a:predict',
      '/v1/projects/:id/locations/:id/publishers/google/models/:model:predict',
    ],
    [
      '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent',
      '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent',
    ],
    ['/ws/google.ai.generativelanguage.AIzaSecret', '/ws/*'],
  ] as const
  for (const [url, route] of pairs) t.equal(readTarget('POST', url).route, route, url)
})

t.test('templates are bounded, however resource words are strung together', async (t) => {
  const words = ['models', 'files', 'chunks', 'corpora', 'batches', 'documents']
  const paths = words.flatMap((a) =>
    words.flatMap((b) => words.flatMap((c) => words.map((d) => `/v1/${a}/${b}/${c}/${d}`))),
  )
  const routes = new Set(paths.map((path) => readTarget('GET', path).route))
  t.ok(routes.size <= 501 && routes.has('/*'), `${routes.size} of ${paths.length}`)
  t.equal(
    readTarget('POST', `${model}:generateContent`).route,
    '/v1beta/models/:model:generateContent',
    'what was known stays',
  )
})

t.test('bad percent-encoding in a path is a URIError, in a query it is Gemini’s to judge', async (t) => {
  t.throws(() => readTarget('GET', '/v1beta/%zz'), URIError)
  t.equal(readTarget('GET', '/v1beta/models?a=%zz').search, '?a=%zz')
})

const path = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'v1',
        'v1beta',
        'models',
        'openai',
        'upload',
        'ws',
        '',
        '..',
        '.',
        '%2e',
        '%zz',
        'key',
        '@a',
        'gemini:generateContent',
        ':',
        '\\',
      ),
      fc.string(),
    ),
  )
  .map((parts) => `/${parts.join('/')}`)

t.test('any request line is read, or is a URIError', async () => {
  fc.assert(
    fc.property(
      fc.constantFrom('GET', 'POST', 'PUT'),
      fc.oneof(
        path,
        fc.string(),
        fc.string().map((text) => `http://${text}`),
      ),
      (method, url) => {
        try {
          const target = readTarget(method, url)
          return (
            target.path.startsWith('/') &&
            !target.path.startsWith('//') &&
            (target.search === '' || target.search.startsWith('?'))
          )
        } catch (error) {
          return error instanceof URIError
        }
      },
    ),
    { numRuns: 300 },
  )
})

t.test('a key in the query never survives, wherever it stands and however it is written', async () => {
  const secret = 'AIzaCANARYcanary0123456789'
  const spelled = fc.constantFrom('key', 'k%65y', '%6bey', '%6B%65%79')
  const others = fc.array(
    fc
      .tuple(fc.constantFrom('alt', 'pageSize', 'x', '%24alt', ''), fc.constantFrom('', '1', 'sse', '%zz', 'a=b'))
      .map((pair) => pair.join('=')),
  )
  fc.assert(
    fc.property(others, spelled, others, (before, name, after) => {
      const { path, search, queryKey, route } = readTarget(
        'POST',
        `${model}:generateContent?${[...before, `${name}=${secret}`, ...after].join('&')}`,
      )
      return (
        queryKey === secret &&
        !`${path}${search}${route}`.includes(secret) &&
        search === ([...before, ...after].length === 0 ? '' : `?${[...before, ...after].join('&')}`)
      )
    }),
  )
})

t.test('a request line with a credential is not remembered, others are shared', async (t) => {
  t.equal(readTarget('GET', '/v1beta/models?pageSize=1'), readTarget('GET', '/v1beta/models?pageSize=1'))
  t.not(readTarget('GET', '/v1beta/models?key=a'), readTarget('GET', '/v1beta/models?key=a'))
  t.ok(Object.isFrozen(readTarget('GET', '/v1beta/models')))
})

t.test('unsafe paths are known in every spelling', async (t) => {
  for (const unsafe of [
    '/a/../b',
    '/..',
    '/.',
    '/a/.',
    '/%2e%2e/',
    '/%2E.',
    '/%252e%252e',
    '/a%2f..%2fb',
    '/a\\b',
    '/a%5cb',
    '/%00',
    '/a%0a',
    '/a%0d%0ab',
    '/a#b',
    '/%zz',
    '/%',
  ])
    t.ok(hasUnsafeSegments(unsafe), unsafe)
  for (const safe of [
    '/a/b',
    '/a..b',
    '/...',
    '/.well-known/x',
    '/a%2fb',
    '/a%3Ab',
    '/gemini-2.5-flash',
    '/a%25b',
    '/%e2%82%ac',
  ])
    t.notOk(hasUnsafeSegments(safe), safe)
})

t.test('long lines are read in linear time', async (t) => {
  const startedAt = performance.now()
  for (const unit of ['/v1', '/', '%25', '&key=', 'a:', '..', ':'])
    readTarget(
      'POST',
      `/v1beta/models/${Buffer.alloc(100_000, unit)
        .toString()
        .replace(/%[^5]?.?$/, '')}`,
    )
  // Ten times what it takes: a quadratic reading would need seconds.
  t.ok(performance.now() - startedAt < 2000)
})
