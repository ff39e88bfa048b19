/** Errors of Gemini surface in every client as if there were no gateway: same class, same fields, same words. */
import t from 'tap'
import type { FaultRule } from '../src/emulator/emulator.ts'
import { gateway } from './helper.ts'
import { type At, collect, sdks } from './sdks.ts'

const cases: { name: string; fault?: FaultRule['fault']; at?: Partial<At>; says: RegExp }[] = [
  { name: '404 for an unknown model', at: { model: 'gemini-0-none' }, says: /not found/i },
  { name: '400 for a wrong key', at: { key: 'bad-key' }, says: /API key not valid/i },
  {
    name: '429 with its details',
    fault: { kind: 'error', error: 'quotaPerMinute', retryAfter: 49 },
    says: /exceeded your current quota/,
  },
  { name: '503 overloaded', fault: { kind: 'error', error: 'overloaded' }, says: /overloaded/ },
  { name: '500 internal', fault: { kind: 'error', error: 'internal' }, says: /internal error/i },
]

for (const { name, fault, at = {}, says } of cases) {
  t.test(`${name} is the same error through the gateway as from Gemini`, async (t) => {
    const { url, emulator } = await gateway(t)
    if (fault !== undefined) emulator.faults.add({ fault })
    for (const sdk of sdks) {
      const through = { url, key: 'a-key', ...at }
      const direct = { url: emulator.url, key: 'a-key', ...at }
      const prompt = `Does ${sdk.name} fail?`
      const error = await failure(sdk.generate(through, prompt), through)
      t.strictSame(error, await failure(sdk.generate(direct, prompt), direct), `${sdk.name} generates`)
      t.match(JSON.stringify(error), says, `${sdk.name} tells why`)
      const onStream = await failure(collect(sdk.stream(through, prompt)), through)
      t.strictSame(onStream, await failure(collect(sdk.stream(direct, prompt)), direct), `${sdk.name} streams`)
      t.match(JSON.stringify(onStream), says, `${sdk.name} tells why on a stream`)
    }
    t.equal(emulator.count(), sdks.length * 4, 'the gateway asked once for each call')
  })
}

t.test('a Gemini that cannot be reached is a typed 503 in every client, without an address', async (t) => {
  const { url, emulator } = await gateway(t, 'upstream: { connectTimeout: 500ms }')
  await emulator.close()
  for (const sdk of sdks) {
    const error = JSON.stringify(await failure(sdk.generate({ url, key: 'a-key' }, 'Anybody there?'), { url, key: '' }))
    t.match(error, /503|UNAVAILABLE|unavailable|cannot be reached/, sdk.name)
    t.notMatch(error, String(emulator.port), `${sdk.name} is not told where`)
  }
})

/** What user code sees of an error: its class, words and own fields, with the base URL and the headers left out. */
async function failure(promise: Promise<unknown>, { url }: At): Promise<Record<string, unknown>> {
  const error = await promise.then(
    () => new Error('no error'),
    (thrown: Error) => thrown,
  )
  const seen: Record<string, unknown> = { class: error.constructor.name, name: error.name, message: error.message }
  for (const [field, value] of Object.entries(error))
    if (!/stack|headers|response$|requestID/i.test(field)) seen[field] = value
  return JSON.parse(JSON.stringify(seen).replaceAll(url, 'BASE'))
}
