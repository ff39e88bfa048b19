import fc from 'fast-check'
import t from 'tap'
import { createSseSplitter, sseData } from '../src/gemini/sse.ts'
import { cut } from './gemini-observing.ts'

type Split = { events: string[]; oversized: number; rest: string; ended: boolean }

function split(pieces: Buffer[], maxBytes = 1000): Split {
  const events: string[] = []
  let oversized = 0
  const splitter = createSseSplitter(maxBytes, (bytes, tooLarge) => {
    events.push(bytes.toString())
    if (tooLarge) oversized += 1
  })
  for (const piece of pieces) splitter.push(piece)
  const { bytes, ended } = splitter.end()
  return { events, oversized, rest: bytes.toString(), ended }
}

const whole = (text: string): Split => split([Buffer.from(text)])

t.test('events end at blank lines of either kind', async (t) => {
  t.same(whole('data: 1\r\n\r\ndata: 2\r\n\r\n'), {
    events: ['data: 1', 'data: 2'],
    oversized: 0,
    rest: '',
    ended: true,
  })
  t.same(whole('event: a\ndata: 1\n\ndata: 2\n\n').events, ['event: a\ndata: 1', 'data: 2'])
})

t.test('nothing else ends an event', async (t) => {
  for (const text of [
    'data: a\u2028\u2028b',
    'data: a\u0085\u0085b',
    'data: a\r\rb',
    'data: a\n\r\nb',
    'data: a\r\n\nb',
  ]) {
    const { events } = whole(`${text}\n\n`)
    t.equal(events[0]?.replace('data: a\r\n', ''), text.replace('data: a\r\n', ''), JSON.stringify(text))
  }
  t.same(whole('data: a\r\rdata: b\n\n').events, ['data: a\r\rdata: b'])
})

t.test('blank lines in excess are no events', async (t) => {
  t.same(whole('\n\n\n\ndata: 1\n\n\n\n\ndata: 2\r\n\r\n\r\n\r\n').events, ['data: 1', 'data: 2'])
})

t.test('what follows the last event is told apart from an end', async (t) => {
  t.match(whole('data: 1\n\ndata: 2'), { events: ['data: 1'], rest: 'data: 2', ended: false })
  t.match(whole('data: 1\n\n{\n  "error": {}\n}\n'), { rest: '{\n  "error": {}\n}\n', ended: false })
  t.match(whole('data: 1\n\n\r\n'), { rest: '\r\n', ended: true })
})

t.test('the cut of the chunks does not matter', async (t) => {
  const text = 'data: {"é": "東京\u2028"}\r\n\r\nevent: x\ndata: 1\n\n\r\n\r\ndata: a\r\n\r\n{"error": 1}\r\n'
  const bytes = Buffer.from(text)
  const expected = split([bytes])
  for (let at = 1; at < bytes.length; at += 1) t.same(split(cut(bytes, [at])), expected, `cut at ${at}`)
  t.same(split(cut(bytes, Array.from(bytes.keys()))), expected, 'byte by byte')

  const piece = fc.constantFrom('\r', '\n', '\r\n', '\n\n', '\r\n\r\n', 'data: x', 'é', '\u2028', '{')
  fc.assert(
    fc.property(fc.array(piece), fc.array(fc.nat(200)), (parts, positions) => {
      const stream = Buffer.from(parts.join(''))
      t.strictSame(split(cut(stream, positions)), split([stream]))
    }),
  )
})

t.test('of an event past the bound its end is handed on, and the next one is whole', async (t) => {
  const large = `data: ${'x'.repeat(5000)}tail`
  const bytes = Buffer.from(`${large}\n\ndata: 2\n\n`)
  const { events, oversized } = split(cut(bytes, [700, 1400, 2100, 2800, 3500, 4200, 4900]), 1000)
  t.equal(oversized, 1)
  t.equal(events.length, 2)
  t.match(events[0], /^x+tail$/)
  t.ok((events[0] ?? '').length <= 1000)
  t.equal(events[1], 'data: 2')
})

t.test('data lines are joined, other lines are left out', async (t) => {
  const data = (event: string): string | undefined => sseData(Buffer.from(event))?.toString()
  t.equal(data('data: {"a": 1}'), '{"a": 1}')
  t.equal(data('data:{"a": 1}'), '{"a": 1}')
  t.equal(data('event: done\ndata: [DONE]'), '[DONE]')
  t.equal(data('event: done\r\ndata: [DONE]\r'), '[DONE]')
  t.equal(data('data: {\nid: 7\ndata:  "a": 1}'), '{\n "a": 1}')
  t.equal(data('data:'), '')
  t.equal(data(': keep-alive'), undefined)
  t.equal(data('{"error": {}}'), undefined)
})
