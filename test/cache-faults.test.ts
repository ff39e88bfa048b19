// DESIGN §8.2: no wrong answer from memory.
import t from 'tap'
import type { Fault } from '../src/emulator/emulator.ts'
import { type Asked, array, ask, eventually, question, sse, unary } from './cache-ask.ts'
import { gateway } from './helper.ts'

/** Ways in which an answer is none: what follows must be asked of Gemini again. */
const spoiling: readonly Fault[] = [
  { kind: 'error', error: 'overloaded' },
  { kind: 'error', error: 'badRequest' },
  { kind: 'cut', afterEvents: 0 },
  { kind: 'cut', afterEvents: 1, where: 'utf8' },
  { kind: 'reset' },
  { kind: 'reset', afterBytes: 90 },
  { kind: 'close' },
  { kind: 'truncate', afterEvents: 0 },
  { kind: 'truncate', afterEvents: 1 },
  { kind: 'halfEvent', afterEvents: 0 },
  { kind: 'halfEvent', afterEvents: 1 },
  { kind: 'errorTail', afterEvents: 0 },
  { kind: 'errorTail', afterEvents: 1 },
  { kind: 'contentLength', delta: -20 },
  { kind: 'contentLength', delta: 20 },
  { kind: 'block' },
  { kind: 'finish', reason: 'SAFETY' },
  { kind: 'finish', reason: 'MAX_TOKENS' },
  { kind: 'finish', reason: 'RECITATION' },
  { kind: 'finish', reason: 'CONTINUATION' },
]

/** Oddities that leave the answer what it is. */
const harmless: readonly Fault[] = [
  { kind: 'delay', ms: 20 },
  { kind: 'firstEvent', ms: 20 },
  { kind: 'usage', mode: 'missing' },
  { kind: 'usage', mode: 'early' },
  { kind: 'gzip' },
]

/** Node's own fetch never ends a gzipped answer that is shorter than its end mark, from whomever it comes. */
function faultsOf(gzip: boolean): readonly Fault[] {
  return [...spoiling, ...harmless].filter((fault) => !gzip || fault.kind !== 'contentLength' || fault.delta > 0)
}

const openai = '/v1beta/openai/chat/completions'
const chat = (text: string, stream: boolean) =>
  JSON.stringify({
    model: 'gemini-2.5-flash',
    messages: [{ role: 'user', content: text }],
    ...(stream ? { stream, stream_options: { include_usage: true } } : {}),
  })

const surfaces = {
  unary: { path: unary, body: (text: string) => JSON.stringify(question(text)) },
  sse: { path: sse, body: (text: string) => JSON.stringify(question(text)) },
  array: { path: array, body: (text: string) => JSON.stringify(question(text)) },
  'openai unary': { path: openai, body: (text: string) => chat(text, false) },
  'openai stream': { path: openai, body: (text: string) => chat(text, true) },
}

/** Everything that was said in an answer, and that it ended as it should. */
function said(body: string): string {
  const texts = [...body.matchAll(/"(?:text|content)": ?"((?:[^"\\]|\\.)*)"/g)].map(([, text]) => text)
  return `${texts.join('')} ${/"finish_?[rR]eason": ?"(?:STOP|stop)"/.test(body) ? 'whole' : 'cut'}`
}

for (const gzip of [false, true]) {
  for (const [name, surface] of Object.entries(surfaces)) {
    t.test(`${name}${gzip ? ', gzipped' : ''}: what was not whole is never given again`, async (t) => {
      const { url, emulator } = await gateway(t, 'cache: { mode: "on" }', {
        emulator: { gzip, answerTokens: 80, chunkTokens: 20 },
      })
      const encoding = gzip ? 'gzip' : 'identity'
      const put = (key: string, base: string): Promise<Asked> =>
        ask(base, '', {
          key,
          path: surface.path,
          body: surface.body('tell me of the twins'),
          headers: {
            'accept-encoding': encoding,
            ...(surface.path === openai ? { authorization: `Bearer ${key}` } : {}),
          },
        })
      const truth = said((await put('truth', emulator.url)).body)
      t.match(truth, /whole$/)
      await Promise.all(
        faultsOf(gzip).map(async (fault, index) => {
          const key = `key-${index}`
          const what = JSON.stringify(fault)
          emulator.faults.add({ match: { key }, fault, times: 1 })
          // What breaks off in the client's hands rejects there, which is right.
          const first = await put(key, url).catch(() => undefined)
          const spoilt = first?.status !== 200 || said(first.body) !== truth
          const second = await put(key, url)
          if (spoilt) t.match(second.cache, /fwd=miss/, what)
          let third = second
          // A compressed answer is decoded in the thread pool before it is kept.
          await eventually(async () => {
            third = await put(key, url)
            return /hit/.test(third.cache ?? '')
          })
          for (const { status, body } of [second, third]) {
            t.equal(status, 200, what)
            t.equal(said(body), truth, what)
          }
        }),
      )
    })
  }
}

t.test('the faults spoil what they are to spoil', async (t) => {
  const { url, emulator } = await gateway(t, 'cache: { mode: "on" }', {
    emulator: { answerTokens: 80, chunkTokens: 20 },
  })
  const truth = said((await ask(emulator.url, 'x', { path: sse })).body)
  let spoilt = 0
  for (const [index, fault] of spoiling.entries()) {
    emulator.faults.add({ match: { key: `key-${index}` }, fault, times: 1 })
    const first = await ask(url, 'x', { path: sse, key: `key-${index}` }).catch(() => undefined)
    if (first?.status !== 200 || said(first.body) !== truth) spoilt++
  }
  t.ok(spoilt >= spoiling.length - 2, `${spoilt} of ${spoiling.length}; the length of a stream is not stated`)
})
