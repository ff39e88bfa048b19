/**
 * The static upstream: answers at once with fixed bytes, or streams events in the manner that the path asks for.
 * Raw node:net, so that it costs a fraction of the proxy that is measured. A process of its own.
 */
import { createServer, type Socket } from 'node:net'
import { listenAndAnswer } from './probe.ts'
import { createMessageReader } from './reader.ts'
import { answer, answerHead, events } from './samples.ts'

/** Between two events of a paced stream: far enough apart that each is a packet of its own. */
const paceMs = 4

const unary = Buffer.concat([
  Buffer.from(answerHead('application/json; charset=UTF-8', `Content-Length: ${answer.length}`)),
  answer,
])
const streamHead = Buffer.from(answerHead('text/event-stream', 'Transfer-Encoding: chunked'))
const chunks = events.map(chunk)
const lastChunk = Buffer.from('0\r\n\r\n')

function chunk(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

/** An event that carries the moment at which it is written, in µs of the machine's monotonic clock. */
function stamped(event: Buffer): Buffer {
  const now = process.hrtime.bigint() / 1000n
  return chunk(Buffer.concat([Buffer.from(`data: {"stamp":${now},`), event.subarray(event.indexOf('{') + 1)]))
}

function stream(socket: Socket, next: (index: number) => Buffer): void {
  let index = 0
  const send = (): void => {
    if (socket.destroyed) return
    const bytes = next(index)
    if (index === 0) socket.write(Buffer.concat([streamHead, bytes]))
    else if (index === events.length - 1) socket.write(Buffer.concat([bytes, lastChunk]))
    else socket.write(bytes)
    index += 1
    if (index < events.length) setTimeout(send, paceMs)
  }
  setTimeout(send, paceMs)
}

function respond(socket: Socket, path: string): void {
  if (path.includes('manner=paced')) stream(socket, (index) => chunks[index] as Buffer)
  else if (path.includes('manner=stamped')) stream(socket, (index) => stamped(events[index] as Buffer))
  else if (path.includes('manner=held')) socket.write(Buffer.concat([streamHead, chunks[0] as Buffer]))
  else socket.write(unary)
}

/** A slow reader takes a breath of this length after each piece of an upload. */
const breathMs = 2

listenAndAnswer(
  createServer({ noDelay: true }, (socket) => {
    let path = ''
    const read = createMessageReader({
      head: (text) => {
        path = text.slice(0, text.indexOf('\r\n'))
      },
      body: () => {
        if (!path.includes('slow')) return
        socket.pause()
        setTimeout(() => socket.resume(), breathMs)
      },
      end: () => respond(socket, path),
    })
    socket.on('data', read)
    socket.on('error', () => socket.destroy())
  }),
)
