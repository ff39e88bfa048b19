import fc from 'fast-check'
import t from 'tap'
import { Type } from 'typebox'
import { readJson, readParams, readQuery, readToken } from '../src/admin/input.ts'
import { GatewayError } from '../src/gemini/errors.ts'

const days = Type.Object(
  {
    days: Type.Optional(Type.Integer({ minimum: 1, maximum: 366 })),
    format: Type.Optional(Type.Enum(['text', 'json'])),
    live: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)
const job = Type.Object(
  {
    job_name: Type.String({ minLength: 1 }),
    requests: Type.Array(Type.Object({ id: Type.String() }, { additionalProperties: false })),
  },
  { additionalProperties: false },
)
const bad = (message: RegExp, field?: string) => ({
  name: 'GatewayError',
  reason: 'CASTOR_BAD_PARAMETER',
  message,
  violations: field === undefined ? Array : [{ field }],
})
const body = (value: unknown) => Buffer.from(JSON.stringify(value))
const read = (value: unknown) => readJson(body(value), 'application/json', job, 64)

t.test('a query is read in the types of its schema', async (t) => {
  t.same({ ...readQuery('?days=30&format=json&live=true', days) }, { days: 30, format: 'json', live: true })
  t.same({ ...readQuery('', days) }, {})
  t.same({ ...readQuery('', undefined) }, {})
})

t.test('a parameter that cannot be is refused by its name', async (t) => {
  t.throws(() => readQuery('?dasy=3', days), bad(/no parameter "dasy"\. Did you mean days\?/, 'dasy'))
  t.throws(() => readQuery('?zzzzzz=3', days), bad(/Known: days, format, live/, 'zzzzzz'))
  t.throws(() => readQuery('?days=3', undefined), bad(/takes none/))
  t.throws(() => readQuery('?days=1&days=2', days), bad(/given twice/, 'days'))
  for (const value of ['0', '-1', '367', '1e3', 'week', '', '1.5', '99999999999999999999']) {
    t.throws(() => readQuery(`?days=${value}`, days), bad(/The parameter days must be/, 'days'), value)
  }
  t.throws(() => readQuery('?live=1', days), bad(/The parameter live must be boolean/, 'live'))
  t.throws(() => readQuery('?format=csv', days), bad(/format must be .*"text", "json"/, 'format'))
  t.throws(() => readQuery('?__proto__=1', days), bad(/no parameter "__proto__"/))
})

t.test('a body is read as its schema says, and an absent one is empty', async (t) => {
  t.same(read({ job_name: 'a', requests: [{ id: '1' }] }), { job_name: 'a', requests: [{ id: '1' }] })
  t.same(readJson(undefined, undefined, Type.Object({}, { additionalProperties: false }), 64), {})
  t.same(readJson(Buffer.from(' {} '), undefined, undefined, 64), {}, 'for a route that takes none')
})

t.test('a field that cannot be is refused by its name', async (t) => {
  t.throws(() => read({ jobname: 'a', requests: [] }), bad(/no field "jobname"\. Did you mean job_name\?/, 'jobname'))
  t.throws(() => read({ job_name: 'a', requests: [], extra: 1 }), bad(/no field "extra"/, 'extra'))
  t.throws(
    () => read({ job_name: 'a', requests: [{ id: '1', idd: 2 }] }),
    bad(/"requests\[0\]\.idd"\. Did you mean id\?/),
  )
  t.throws(() => read({ job_name: 'a', requests: [{}] }), bad(/requests\[0\]\.id is missing/, 'requests[0].id'))
  t.throws(() => read({ job_name: 5, requests: [] }), bad(/job_name must be string/, 'job_name'))
  t.throws(() => read([]), bad(/The body must be object/))
  t.throws(() => read(null), bad(/The body must be object/))
})

t.test('what is not JSON, or does not say so, is refused', async (t) => {
  const plain = body({ job_name: 'a', requests: [] })
  for (const type of [
    undefined,
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/jsonx',
    'text/plain; application/json',
  ]) {
    t.throws(() => readJson(plain, type, job, 64), bad(/Content-Type: application\/json/), String(type))
  }
  t.ok(readJson(plain, 'Application/JSON; charset=utf-8', job, 64))
  for (const text of ['{', 'nonsense', '{"job_name":"a",}', '\ufeff ']) {
    t.throws(() => readJson(Buffer.from(text), 'application/json', job, 64), bad(/not valid JSON|must be/), text)
  }
  t.throws(() => readJson(Buffer.from([0x22, 0xff, 0x22]), 'application/json', job, 64), bad(/UTF-8/))
  t.throws(() => readJson(Buffer.from('{"a":1}'), 'application/json', undefined, 64), bad(/takes no body/))
})

t.test('depth and prototypes in a body are refused before they can do harm', async (t) => {
  const free = Type.Object({ context: Type.Unknown() })
  const text = (inner: string) => Buffer.from(`{"context":${inner}}`)
  t.throws(() => readJson(text('['.repeat(100_000)), 'application/json', free, 64), bad(/deeper than the 64/))
  t.throws(() => readJson(text('{"a":[{"__proto__":{"x":1}}]}'), 'application/json', free, 64), bad(/__proto__/))
  t.throws(() => readJson(text('{"\\u005f_proto__":1}'), 'application/json', free, 64), bad(/__proto__/))
})

t.test('ids in a path look like ids', async (t) => {
  t.same(readParams({ id: 'batch_01-a.b~c' }), { id: 'batch_01-a.b~c' })
  for (const id of ['', '../x', 'a b', 'a%00', "1' OR '1'='1", 'x'.repeat(129)]) {
    t.throws(() => readParams({ id }), bad(/id in the path/, 'id'), id)
  }
})

t.test('a token is read from the form and from JSON', async (t) => {
  const form = 'application/x-www-form-urlencoded'
  t.equal(readToken(Buffer.from('token=a%2Bb%26c'), form), 'a+b&c')
  t.equal(readToken(Buffer.from('{"token":"abc"}'), 'application/json'), 'abc')
  for (const [text, type] of [
    ['', form],
    ['token=', form],
    ['other=1', form],
    ['{"token":5}', 'application/json'],
    ['{}', 'application/json'],
    ['token=a', 'text/plain'],
  ] as const) {
    t.throws(() => readToken(Buffer.from(text), type), bad(/./), text)
  }
})

t.test('whatever is sent, the only error is one of ours, and it forges no lines', async (t) => {
  const isOurs = (call: () => unknown): boolean => {
    try {
      call()
      return true
    } catch (error) {
      return error instanceof GatewayError && !/[\u0000-\u001f\u202e]/.test(error.message)
    }
  }
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => isOurs(() => readQuery(`?${text}`, days))))
  fc.assert(fc.property(fc.json(), (text) => isOurs(() => readJson(Buffer.from(text), 'application/json', job, 64))))
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => isOurs(() => readJson(Buffer.from(bytes), 'application/json', job, 8))),
  )
  t.pass()
})
