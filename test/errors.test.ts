import { readFileSync } from 'node:fs'
import t from 'tap'
import { errorDocs } from '../src/gemini/error-docs.ts'
import {
  type ErrorReason,
  errorShape,
  errorTable,
  GatewayError,
  renderError,
  streamErrorTail,
} from '../src/gemini/errors.ts'
import { describeError } from '../src/log.ts'
import { upstreamFailure } from '../src/upstream/failure.ts'

const reasons = Object.keys(errorTable) as ErrorReason[]

t.test('every error is Gemini’s object, its array, or OpenAI’s object', async (t) => {
  for (const reason of reasons) {
    const { http, status } = errorTable[reason]
    const error = new GatewayError(reason, 'why')
    const native = renderError(error, 'native')
    t.equal(native.statusCode, http)
    t.same(JSON.parse(native.body), {
      error: {
        code: http,
        message: 'why',
        status,
        details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain: 'castor' }],
      },
    })
    t.same(JSON.parse(renderError(error, 'array').body), [JSON.parse(native.body)])
    t.match(JSON.parse(renderError(error, 'openai').body), { error: { message: 'why', code: reason, param: null } })
    t.equal(native.headers['content-type'], 'application/json; charset=UTF-8')
  }
})

t.test('a time to wait is told in the header and in RetryInfo', async (t) => {
  const { headers, body } = renderError(
    new GatewayError('CASTOR_OVERLOADED', 'full', { retryAfterSeconds: 0.2 }),
    'native',
  )
  t.equal(headers['retry-after'], '1', 'whole seconds, never 0')
  t.match(JSON.parse(body), {
    error: { details: [{}, { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '0.2s' }] },
  })
})

t.test('the surface decides the shape', async (t) => {
  t.equal(errorShape({ dialect: 'native', framing: 'unary' }), 'native')
  t.equal(errorShape({ dialect: 'native', framing: 'sse' }), 'native')
  t.equal(errorShape({ dialect: 'native', framing: 'array' }), 'array')
  t.equal(errorShape({ dialect: 'openai', framing: 'unary' }), 'openai')
  t.equal(errorShape({ dialect: 'interactions', framing: 'unary' }), 'native')
  t.equal(errorShape(null), 'native')
})

t.test('the tail of a broken stream is a raw object of its own, without data:', async (t) => {
  const text = streamErrorTail(new GatewayError('CASTOR_UPSTREAM_TIMEOUT', 'late')).toString()
  t.match(text, /^\{\n/)
  t.match(JSON.parse(text), { error: { code: 503, status: 'DEADLINE_EXCEEDED', message: 'late' } })
  t.match(JSON.parse(streamErrorTail(new GatewayError('CASTOR_INTERNAL', 'x')).toString()), {
    error: { status: 'UNAVAILABLE' },
  })
})

t.test('failures of the network become what clients retry rightly', async (t) => {
  const failed = (code: string) => upstreamFailure(Object.assign(new Error(`connect ${code} 10.0.0.7:443`), { code }))
  for (const code of [
    'ECONNREFUSED',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'UND_ERR_CONNECT_TIMEOUT',
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ])
    t.equal(failed(code).reason, 'CASTOR_UPSTREAM_UNREACHABLE', code)
  for (const code of ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])
    t.equal(failed(code).reason, 'CASTOR_UPSTREAM_TIMEOUT', code)
  for (const code of ['ECONNRESET', 'UND_ERR_SOCKET', 'HPE_INVALID_CHUNK_SIZE', ''])
    t.equal(failed(code).reason, 'CASTOR_UPSTREAM_BROKEN', code)
  t.notMatch(failed('ECONNREFUSED').message, /10\.0\.0\.7/)
  const many = new AggregateError([Object.assign(new Error('a'), { code: 'ECONNREFUSED' })])
  t.equal(upstreamFailure(many).reason, 'CASTOR_UPSTREAM_UNREACHABLE', 'a name with several addresses')
  const own = new GatewayError('CASTOR_BODY_TIMEOUT', 'x')
  t.equal(upstreamFailure(own), own, 'an error of ours stays itself')
})

t.test('an error in the log shows its cause, never what a library has hung on it', async (t) => {
  const cause = Object.assign(new Error('inner'), {
    code: 'ECONNRESET',
    request: { headers: { 'x-goog-api-key': 'canary' } },
  })
  const shown = JSON.stringify(describeError(new GatewayError('CASTOR_UPSTREAM_BROKEN', 'outer', { cause })))
  t.match(shown, /inner.*ECONNRESET/)
  t.notMatch(shown, 'canary')
})

t.test('docs/errors.md has a row for every reason and is current', async (t) => {
  t.equal(readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8'), errorDocs())
  for (const reason of reasons) t.match(errorDocs(), `| \`${reason}\` |`)
})
