/** Streams that break, and clients that leave: no truncated answer passes for a whole one, and nothing is asked of Gemini for nobody. */
import t, { type Test } from 'tap'
import type { Emulator } from '../src/emulator/emulator.ts'
import { chunk, type Gateway, gateway, gatewayTo, until, upstream } from './helper.ts'
import { collect, sdks } from './sdks.ts'

for (const sdk of sdks) {
  t.test(`${sdk.name} raises when Gemini's stream is cut`, async (t) => {
    const { url, emulator } = await gateway(t, '', { emulator: { answerTokens: 150 } })
    for (const fault of [
      { kind: 'cut', afterEvents: 2 },
      { kind: 'cut', afterEvents: 2, where: 'utf8' },
      { kind: 'reset', afterBytes: 700 },
    ] as const) {
      const remove = emulator.faults.add({ fault })
      const pieces: string[] = []
      await t.rejects(async () => {
        for await (const piece of sdk.stream({ url, key: 'a-key' }, `Cut with ${JSON.stringify(fault)} äöü?`))
          pieces.push(piece)
      }, `${fault.kind} raises`)
      t.ok(pieces.length > 0, 'after the pieces that came')
      remove()
    }
    t.match((await collect(sdk.stream({ url, key: 'a-key' }, 'And now?'))).join(''), /\w/, 'the next one is whole')
  })

  t.test(`${sdk.name} raises when Gemini's connection ends between two events of a stream`, async (t) => {
    const peer = await upstream(t, ({ url }) => {
      const event = url.includes('openai') ? openaiEvent : nativeEvent
      const pieces = ['One', 'Two'].map((text) => chunk(`data: ${JSON.stringify(event(text))}\r\n\r\n`))
      return { slices: [streamHead, ...pieces], ending: 'destroy' }
    })
    const { url } = await gatewayTo(t, peer.url)
    const texts: string[] = []
    await t.rejects(async () => {
      for await (const text of sdk.stream({ url, key: 'a-key' }, 'Half of it?')) texts.push(text)
    }, 'half an answer does not pass for a whole one')
    t.strictSame(texts, ['One', 'Two'], 'what had come is not lost')
  })

  t.test(`${sdk.name} cancels the call upstream when it is aborted before the headers`, async (t) => {
    const gate = await gateway(t, '', { emulator: { answerTokens: 150 } })
    gate.emulator.faults.add({ fault: { kind: 'delay', ms: 60_000 } })
    const starts: ((signal: AbortSignal) => Promise<unknown>)[] = [
      (signal) => collect(sdk.stream({ url: gate.url, key: 'a-key' }, 'Wait for the stream', signal)),
    ]
    if (sdk.abortsUnary !== false)
      starts.push((signal) => sdk.generate({ url: gate.url, key: 'a-key' }, 'Wait for it', signal))
    for (const start of starts) {
      const controller = new AbortController()
      const call = start(controller.signal)
      const calls = gate.emulator.count()
      await until(() => gate.emulator.count() > calls, 5000, 'the call upstream')
      controller.abort()
      await t.rejects(() => call, 'the client is told at once')
      await aborted(t, gate)
    }
  })

  t.test(`${sdk.name} cancels the call upstream when it is aborted in mid-stream`, async (t) => {
    const gate = await gateway(t, '', { emulator: { answerTokens: 150 } })
    gate.emulator.faults.add({ fault: { kind: 'stall', afterEvents: 2 } })
    const controller = new AbortController()
    let pieces = 0
    await t.rejects(async () => {
      for await (const _ of sdk.stream({ url: gate.url, key: 'a-key' }, 'Tell me much', controller.signal)) {
        pieces += 1
        controller.abort()
      }
    })
    t.ok(pieces > 0, 'something had come')
    await aborted(t, gate)
  })
}

const streamHead = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'

function nativeEvent(text: string): object {
  return { candidates: [{ content: { parts: [{ text }], role: 'model' }, index: 0 }] }
}

function openaiEvent(content: string): object {
  const choices = [{ index: 0, delta: { role: 'assistant', content } }]
  return { id: 'one', object: 'chat.completion.chunk', created: 1, model: 'gemini-2.5-flash', choices }
}

async function aborted(t: Test, { emulator }: Gateway & { emulator: Emulator }): Promise<void> {
  await until(() => emulator.calls.at(-1)?.aborted === true, 1000, 'the abort upstream')
  t.equal(emulator.calls.at(-1)?.aborted, true, 'Gemini is told within a second')
}
