import fc from 'fast-check'
import t from 'tap'
import { createFrameReader } from '../src/live/frames.ts'

interface Frame {
  opcode?: number
  isFinal?: boolean
  isCompressed?: boolean
  mask?: Buffer
  payload: Buffer
}

/** A frame as RFC 6455 §5.2 has it. */
function frame({ opcode = 1, isFinal = true, isCompressed = false, mask, payload }: Frame): Buffer {
  const first = (isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0) | opcode
  const { length } = payload
  const size = Buffer.alloc(length < 126 ? 1 : length < 65_536 ? 3 : 9)
  if (length < 126) size[0] = length
  else if (length < 65_536) {
    size[0] = 126
    size.writeUInt16BE(length, 1)
  } else {
    size[0] = 127
    size.writeBigUInt64BE(BigInt(length), 1)
  }
  if (mask === undefined) return Buffer.concat([Buffer.from([first]), size, payload])
  size[0] = (size[0] as number) | 0x80
  return Buffer.concat([Buffer.from([first]), size, mask, payload.map((byte, at) => byte ^ (mask[at & 3] as number))])
}

function read(bytes: Buffer, cuts: number[], maxBytes = 1000): string[] {
  const messages: string[] = []
  const reader = createFrameReader(maxBytes, (message) => messages.push(message.toString()))
  let from = 0
  for (const cut of [...cuts.map((at) => at % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    reader.push(bytes.subarray(from, cut))
    from = cut
  }
  return messages
}

t.test('messages are read wherever the bytes are cut, masked or not, in one frame or several', async () => {
  const mask = fc.option(fc.uint8Array({ minLength: 4, maxLength: 4 }), { nil: undefined })
  const text = fc.string({ minLength: 1, maxLength: 300, unit: 'grapheme' })
  fc.assert(
    fc.property(
      fc.array(fc.record({ text, mask, parts: fc.integer({ min: 1, max: 3 }) })),
      fc.array(fc.nat()),
      (sent, cuts) => {
        const bytes = sent.flatMap(({ text, mask, parts }) => {
          const payload = Buffer.from(text)
          const step = Math.ceil(payload.length / parts)
          return Array.from({ length: parts }, (_, at) => {
            const ping = frame({ opcode: 9, payload: Buffer.from('ping') })
            const piece = frame({
              opcode: at === 0 ? 2 : 0,
              isFinal: at === parts - 1,
              payload: payload.subarray(at * step, (at + 1) * step),
              ...(mask === undefined ? {} : { mask: Buffer.from(mask) }),
            })
            // Control frames may stand between the frames of a message (§5.4).
            return Buffer.concat([ping, piece])
          })
        })
        t.strictSame(
          read(Buffer.concat(bytes), cuts, 10_000),
          sent.map(({ text }) => text),
        )
      },
    ),
    { numRuns: 100 },
  )
})

t.test('a message that is too long or compressed is passed over, and the next one is read', async (t) => {
  const bytes = Buffer.concat([
    frame({ payload: Buffer.alloc(70_000, 'a') }),
    frame({ payload: Buffer.from('squeezed'), isCompressed: true }),
    frame({ payload: Buffer.alloc(0) }),
    frame({ payload: Buffer.from('plain') }),
  ])
  t.strictSame(read(bytes, [3, 9, 69_000]), ['plain'])
})

t.test('what is no websocket traffic does no harm', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (junk) => {
      read(Buffer.from(junk), [])
    }),
  )
})
