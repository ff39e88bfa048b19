import fc from 'fast-check'
import t from 'tap'
import { createKeys, joined, type KeyParts } from '../src/cache/key.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const body = bytes('{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}')
const parts: KeyParts = {
  partition: 'p1',
  dialect: 'native',
  apiVersion: 'v1beta',
  operation: 'generateContent',
  model: 'gemini-2.5-flash',
}

function keyText(keys: ReturnType<typeof createKeys<number>>, some: KeyParts, raw = body): string {
  const result = keys.keyOf(some, raw, () => 0)
  return 'key' in result ? result.key.key : result.refused
}

t.test('each part that determines the answer changes the key', async (t) => {
  const keys = createKeys<number>({ secret: 's' })
  const changes: Array<Partial<KeyParts>> = [
    {},
    { partition: 'p2' },
    { dialect: 'openai' },
    { apiVersion: 'v1' },
    { operation: 'countTokens' },
    { model: 'gemini-2.5-pro' },
    { resource: 'projects/p/locations/global' },
    { search: '?alt=sse' },
    { search: '?$alt=sse' },
    { search: '?fields=candidates' },
    { search: '?prettyPrint=false' },
    { apiRevision: '2026-05-20' },
    { serviceTier: 'flex' },
    { context: { meeting: '1' } },
    { context: { meeting: '2' } },
    { interaction: 'summary' },
    { trimming: 'v1:4000' },
  ]
  const found = new Set(changes.map((change) => keyText(keys, { ...parts, ...change })))
  t.equal(found.size, changes.length)
  t.not(keyText(createKeys({ secret: 'other' }), parts), keyText(keys, parts), 'and so does the secret')
  t.match(keyText(keys, parts), /^[\w-]{43}$/)
})

t.test('what does not determine it does not', async (t) => {
  const keys = createKeys<number>({ secret: 's' })
  const plain = keyText(keys, { ...parts, search: '?alt=json&fields=a' })
  t.equal(keyText(keys, { ...parts, search: 'fields=a&alt=json' }), plain)
  t.equal(keyText(keys, { ...parts, search: '?key=AIzaSecret&alt=json&fields=a' }), plain)
  t.equal(keyText(keys, { ...parts, search: '?fields=%61&%61lt=json&access_token=ya29' }), plain)
  t.equal(keyText(keys, { ...parts, model: 'models/gemini-2.5-flash' }), keyText(keys, parts))
  t.equal(
    keyText(keys, { ...parts, context: { a: '1', b: '2' } }),
    keyText(keys, { ...parts, context: { b: '2', a: '1' } }),
  )
  t.not(
    keyText(keys, { ...parts, search: '?a=1&a=2' }),
    keyText(keys, { ...parts, search: '?a=2&a=1' }),
    'the order of a repeated parameter has a meaning',
  )
})

t.test('no delimiter lets one list of parts pass for another', async (t) => {
  const word = fc.string({ unit: fc.constantFrom('a', ':', '1', '\0', '&', '='), maxLength: 4 })
  fc.assert(
    fc.property(fc.array(word, { maxLength: 4 }), fc.array(word, { maxLength: 4 }), (one, two) => {
      return (joined(one) === joined(two)) === (JSON.stringify(one) === JSON.stringify(two))
    }),
    { numRuns: 2000 },
  )
  const keys = createKeys<number>({ secret: 's' })
  t.not(keyText(keys, { ...parts, context: { a: '1;b=2' } }), keyText(keys, { ...parts, context: { a: '1', b: '2' } }))
  t.not(keyText(keys, { ...parts, interaction: 'x', trimming: '' }), keyText(keys, { ...parts, trimming: 'x' }))
})

t.test('a body seen before is not read again, and brings back what was noted', async (t) => {
  const keys = createKeys<string>({ secret: 's', maxSeen: 2 })
  let read = 0
  const note = () => `note ${++read}`
  t.match(keys.keyOf(parts, body, note), { seen: false, note: 'note 1' })
  t.match(keys.keyOf(parts, body, note), { seen: true, note: 'note 1' })
  t.match(keys.keyOf({ ...parts, partition: 'p2' }, body, note), { seen: false }, 'another caller is another request')
  keys.keyOf({ ...parts, partition: 'p3' }, body, note)
  t.equal(keys.size(), 2, 'bounded')
  keys.clear()
  t.match(keys.keyOf(parts, body, note), { seen: false })
})

t.test('two spellings share a key; a body too large for that is found by its bytes', async (t) => {
  const other = bytes('{ "contents" : [ { "parts" : { "text" : "hi" }, "role" : "user" } ] }')
  const keys = createKeys<number>({ secret: 's' })
  t.equal(keyText(keys, parts, other), keyText(keys, parts))
  const small = createKeys<number>({ secret: 's', maxCanonicalBytes: 10 })
  t.equal(keyText(small, parts), keyText(small, parts))
  t.not(keyText(small, parts, other), keyText(small, parts))
  t.equal(keyText(keys, parts, bytes('{"a":1,"a":2}')), 'ambiguous')
})

t.test('a very long context neither fills the table nor blurs keys', async (t) => {
  const keys = createKeys<number>({ secret: 's' })
  const long = (end: string) => ({ ...parts, context: { text: 'x'.repeat(5000) + end } })
  t.not(keyText(keys, long('a')), keyText(keys, long('b')))
  t.equal(keyText(keys, long('a')), keyText(keys, long('a')))
})
