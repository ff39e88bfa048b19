import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { readPairs, readWord } from '../src/exchange/annotations.ts'
import { createByteBudget, readBody } from '../src/exchange/body.ts'
import {
  beginExchange,
  type Exchange,
  nextRequestId,
  type Outcome,
  type Tap,
  tapChunk,
  tapEnd,
  tapHead,
} from '../src/exchange/exchange.ts'
import { renderServerTiming } from '../src/exchange/timing.ts'
import type { GatewayError } from '../src/gemini/errors.ts'
import { readTarget } from '../src/gemini/target.ts'
import { generate } from './nemesis.ts'

function exchange(model = 'gemini-2.5-flash'): Exchange {
  return beginExchange({
    id: 'id',
    startedAt: 0,
    target: readTarget('POST', generate.replace('gemini-2.5-flash', model)),
    caller: { tenant: 't', keyId: 'k', client: null, tags: {}, upstreamKey: null },
    outgoing: { apiKey: null, authorization: null, strip: { apiKey: false, authorization: false } },
    tags: {},
    interaction: null,
    context: null,
  })
}

const noDrop = (tap: Tap): never => {
  throw new Error(`${tap.name} was dropped`)
}

const head = { statusCode: 200, headers: [], source: 'upstream' } as const

t.test('taps see everything, in the order in which they were left', async (t) => {
  const seen: string[] = []
  const tap = (name: string): Tap => ({
    name,
    head: () => void seen.push(`${name} head`),
    chunk: (bytes) => void seen.push(`${name} ${bytes}`),
    end: (outcome) => void seen.push(`${name} ${outcome}`),
  })
  const one = exchange()
  one.taps.push(tap('a'), { name: 'silent' }, tap('b'))
  tapHead(one, head, noDrop)
  tapChunk(one, Buffer.from('x'), noDrop)
  tapEnd(one, 'complete', true, noDrop)
  t.same(seen, ['a head', 'b head', 'a x', 'b x', 'a complete', 'b complete'])
})

t.test('an exchange ends once, with its first outcome', async (t) => {
  const outcomes: Outcome[] = []
  const one = exchange()
  one.taps.push({ name: 'a', end: (outcome) => void outcomes.push(outcome) })
  tapEnd(one, 'client_abort', false, noDrop)
  tapEnd(one, 'complete', true, noDrop)
  t.same(outcomes, ['client_abort'])
  t.equal(one.outcome, 'client_abort')
})

t.test('a tap that throws is taken off and reported once; the others go on', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('head', 'chunk', 'end', 'never')), (failing) => {
      const dropped: string[] = []
      const ended: number[] = []
      const one = exchange()
      failing.forEach((when, index) => {
        const fail = (at: string) => () => {
          if (at === 'end') ended.push(index)
          if (at === when) throw new Error('a fault of the tap')
        }
        one.taps.push({ name: `${index}`, head: fail('head'), chunk: fail('chunk'), end: fail('end') })
      })
      const note = (tap: Tap) => void dropped.push(tap.name)
      tapHead(one, head, note)
      tapChunk(one, Buffer.from('x'), note)
      tapChunk(one, Buffer.from('y'), note)
      tapEnd(one, 'complete', true, note)
      const broken = failing.filter((when) => when !== 'never').length
      const reached = failing.filter((when) => when === 'never' || when === 'end').length
      return dropped.length === broken && new Set(dropped).size === broken && ended.length === reached
    }),
  )
  t.pass()
})

t.test('a model is named only where a model’s name stands', async (t) => {
  t.equal(exchange().model, 'gemini-2.5-flash')
  t.equal(exchange('chat-bison@001').model, 'chat-bison@001')
  for (const strange of ['AIzaSyCANARY', 'a%20b', '%1b[31m', 'UPPER', 'x'.repeat(90)])
    t.equal(exchange(strange).model, null, strange)
})

t.test('request ids are all different', async (t) => {
  t.equal(new Set(Array.from({ length: 1000 }, nextRequestId)).size, 1000)
})

t.test('Server-Timing names the stages that were reached, and what the gateway added', async (t) => {
  const timings = { auth: 0.123456, cache: null, context: null, upstream: 20 }
  t.equal(renderServerTiming({ timings, startedAt: 100 }, 121.5), 'auth;dur=0.12, upstream;dur=20, castor;dur=1.5')
  t.equal(
    renderServerTiming({ timings: { auth: 0, cache: 1, context: 2, upstream: null }, startedAt: 0 }, 4),
    'auth;dur=0, cache;dur=1, context;dur=2, castor;dur=4',
  )
})

/** A request's body side, written to by the test. */
function incoming(length?: number): PassThrough & IncomingMessage {
  const headers = length === undefined ? {} : { 'content-length': String(length) }
  // readBody uses the stream and this one header only.
  return Object.assign(new PassThrough(), { headers }) as unknown as PassThrough & IncomingMessage
}

/** Reads with room for 100 bytes in all, and 50 in one body. */
function read(request: IncomingMessage, load = { heldBodyBytes: 0 }) {
  const budget = createByteBudget(load, () => 100)
  const result = new Promise<{ error: GatewayError | null; body: string; reserved: number }>((resolve) =>
    readBody(request, { bodyBytes: 50, idleMs: 50 }, budget, (error, body, reserved) =>
      resolve({ error, body: body.toString(), reserved }),
    ),
  )
  return { load, budget, result }
}

t.test('a body is read whole, in whatever pieces it comes, and holds what it has', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ maxLength: 6, unit: 'grapheme-ascii' }), { maxLength: 8 }),
      async (pieces) => {
        const whole = pieces.join('')
        const request = incoming(whole.length)
        const { result, load, budget } = read(request)
        for (const piece of pieces) request.write(piece)
        request.end()
        const { error, body, reserved } = await result
        const held = load.heldBodyBytes
        budget.give(reserved)
        return error === null && body === whole && held === whole.length && load.heldBodyBytes === 0
      },
    ),
    { numRuns: 30 },
  )
})

async function refuses(
  t: Test,
  request: PassThrough & IncomingMessage,
  reason: string,
  load = { heldBodyBytes: 0 },
): Promise<void> {
  const before = load.heldBodyBytes
  const { error, reserved } = await read(request, load).result
  t.match(error, { reason })
  t.equal(reserved, 0)
  t.equal(load.heldBodyBytes, before, 'nothing stays held')
}

t.test('a body is given up when it is too much, too slow, or cut', async (t) => {
  await refuses(t, incoming(51), 'CASTOR_BODY_TOO_LARGE')
  const large = incoming()
  large.write('x'.repeat(51))
  await refuses(t, large, 'CASTOR_BODY_TOO_LARGE')
  await refuses(t, incoming(30), 'CASTOR_OVERLOADED', { heldBodyBytes: 80 })
  const crowded = incoming()
  crowded.write('x'.repeat(30))
  await refuses(t, crowded, 'CASTOR_OVERLOADED', { heldBodyBytes: 80 })
  const slow = incoming(30)
  slow.write('x')
  await refuses(t, slow, 'CASTOR_BODY_TIMEOUT')
  const cut = incoming(30)
  cut.write('x')
  setImmediate(() => cut.destroy())
  await refuses(t, cut, 'CASTOR_BODY_INCOMPLETE')
})

t.test('headers of pairs and words are read, or refused by name', async (t) => {
  t.same(
    { ...readPairs({ 'x-castor-tags': 'team=a, env = prod; x.y-z=1=2' }, 'x-castor-tags') },
    { team: 'a', env: 'prod', 'x.y-z': '1=2' },
  )
  t.equal(readPairs({}, 'x-castor-tags'), null)
  t.equal(readPairs({ 'x-castor-tags': '' }, 'x-castor-tags'), null)
  t.equal(readWord({ 'x-castor-interaction': 'question_generation' }, 'x-castor-interaction'), 'question_generation')
  const wrong = [
    'team',
    '=a',
    'team=',
    'a b=c',
    '-a=b',
    `${'a'.repeat(65)}=b`,
    `a=${'b'.repeat(257)}`,
    Array.from({ length: 21 }, (_, index) => `a${index}=b`).join(),
  ]
  for (const text of wrong) t.throws(() => readPairs({ 'x-castor-tags': text }, 'x-castor-tags'), /x-castor-tags/, text)
  for (const text of ['a b', '?', 'a'.repeat(65), 'a;b'])
    t.throws(() => readWord({ 'x-castor-interaction': text }, 'x-castor-interaction'), /x-castor-interaction/)
  for (const key of [
    'AIzaSyA0123456789012345678901234567890',
    `castor-${'a'.repeat(43)}`,
    'ya29.token',
    'auth_tokens/x',
  ])
    t.throws(() => readPairs({ 'x-castor-tags': `team=${key}` }, 'x-castor-tags'), /looks like an API key/)
})

t.test('names such as __proto__ are pairs like any other', async (t) => {
  const pairs = readPairs({ 'x-castor-context': 'x__proto__=1, constructor=2' }, 'x-castor-context')
  t.equal(Object.getPrototypeOf(pairs), null)
  t.equal(pairs?.constructor, '2')
  t.throws(() => readPairs({ 'x-castor-context': '__proto__=1' }, 'x-castor-context'), /x-castor-context/)
})
