import t from 'tap'
import { createLayout } from '../src/gemini/answer/layout.ts'

const usage = '{"totalTokenCount": 13}'

/** A document with this text, and where its text and usage stand. */
function written(
  text: string,
  rest = ',"responseId": "r1"}',
): { bytes: Buffer; places: [number, number, number, number] } {
  const head = '{"candidates": [{"content": {"parts": [{"text": '
  const middle = '}]},"index": 0}],"usageMetadata": '
  const quoted = JSON.stringify(text)
  const textEnd = Buffer.byteLength(head + quoted)
  const usageStart = textEnd + middle.length
  return {
    bytes: Buffer.from(head + quoted + middle + usage + rest),
    places: [head.length, textEnd, usageStart, usageStart + usage.length],
  }
}

const first = written('first')
const layout = createLayout()
layout.learn(first.bytes, ...first.places)

t.test('a document that differs in its text alone has the layout', async (t) => {
  for (const text of ['first', '', 'longer "quoted" \\ é 東京\n', '"', '\\', '{"usageMetadata": {}}']) {
    const { bytes, places } = written(text)
    t.equal(layout.usageIn(bytes), places[2], text)
    t.equal(layout.textLength(bytes), Buffer.byteLength(JSON.stringify(text)) - 2)
  }
  t.equal(layout.usageLength(), usage.length)
})

t.test('a document that differs anywhere else has not', async (t) => {
  const { bytes, places } = written('other')
  const [textStart, textEnd, usageStart, usageEnd] = places
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] as number) ^ 1
    const free = (at > textStart && at < textEnd - 1) || (at >= usageStart && at < usageEnd)
    t.equal(layout.usageIn(changed), free ? usageStart : -1, `byte ${at}`)
  }
  t.equal(layout.usageIn(written('other', ',"responseId": "r10"}').bytes), -1)
  t.equal(layout.usageIn(bytes.subarray(0, -1)), -1)
  t.equal(layout.usageIn(Buffer.alloc(0)), -1)
})

t.test('a text that ends early has not', async (t) => {
  const { bytes, places } = written('a quote')
  bytes[places[0] + 3] = 0x22
  t.equal(layout.usageIn(bytes), -1)
  const open = written('a quote').bytes
  open[places[1] - 2] = 0x5c
  t.equal(layout.usageIn(open), -1)
})

t.test('what was never learned fits nothing', async (t) => {
  t.equal(createLayout().usageIn(first.bytes), -1)
  const before = createLayout()
  before.learn(first.bytes, 40, 50, 5, 20)
  t.equal(before.usageIn(first.bytes), -1, 'usage before the text')
  const long = written('x', `,"responseId": "${'r'.repeat(5000)}"}`)
  const large = createLayout()
  large.learn(long.bytes, ...long.places)
  t.equal(large.usageIn(long.bytes), -1, 'too long to keep')
})
