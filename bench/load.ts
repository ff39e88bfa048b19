/**
 * The load: keep-alive connections that each send their next question when the last is answered. Counts, and checks that every answer
 * is the upstream's own bytes in number. Raw node:net, a process of its own.
 */
import { connect, type Socket } from 'node:net'
import { answerQuestions } from './probe.ts'
import { createMessageReader } from './reader.ts'
import { makeQuestion, requestHead, serialDigits } from './samples.ts'

export interface Burst {
  port: number
  path: string
  /** questions in all */
  requests: number
  connections: number
  /** body bytes that each answer must have */
  answerBytes?: number
  /** reads the stamps in the events */
  stamps?: boolean
  /** every connection asks the same question again and again */
  repeat?: boolean
  /** notes how long each answer took */
  latencies?: boolean
  deadlineMs: number
}

export interface BurstResult {
  answered: number
  seconds: number
  /** pieces in which the bodies arrived */
  pieces: number
  /** µs from the upstream's write to the arrival here, of each answer's first event and of the later ones */
  firstDelays: number[]
  laterDelays: number[]
  /** µs from a question's first byte to its answer's last */
  latencies: number[]
}

let serial = 0

function burst(options: Burst): Promise<BurstResult> {
  const result: BurstResult = { answered: 0, seconds: 0, pieces: 0, firstDelays: [], laterDelays: [], latencies: [] }
  const sockets: Socket[] = []
  const startedAt = performance.now()
  let sent = 0
  return new Promise<BurstResult>((resolve, reject) => {
    const timer = setTimeout(
      () => finish(new Error(`only ${result.answered} of ${options.requests} answers in time`)),
      options.deadlineMs,
    )

    function finish(error: Error | null): void {
      clearTimeout(timer)
      for (const socket of sockets) socket.destroy()
      result.seconds = (performance.now() - startedAt) / 1000
      if (error === null) resolve(result)
      else reject(error)
    }

    function open(): void {
      const { bytes, serialAt } = makeQuestion()
      const head = Buffer.from(requestHead(options.path, bytes.length))
      const request = Buffer.concat([head, bytes])
      const socket = connect({ port: options.port, host: '127.0.0.1', noDelay: true })
      let bodyBytes = 0
      let pieces = 0
      let askedAt = 0

      function ask(): void {
        if (sent >= options.requests) return
        sent += 1
        if (!options.repeat)
          request.write(String(++serial).padStart(serialDigits, '0'), head.length + serialAt, 'latin1')
        askedAt = performance.now()
        socket.write(request)
      }

      const read = createMessageReader({
        head(text) {
          bodyBytes = 0
          pieces = 0
          if (!text.startsWith('HTTP/1.1 200'))
            finish(new Error(`answered with ${text.slice(0, text.indexOf('\r\n'))}`))
        },
        body(piece) {
          bodyBytes += piece.length
          if (options.stamps) noteDelay(piece, pieces === 0 ? result.firstDelays : result.laterDelays)
          pieces += 1
        },
        end() {
          if (options.answerBytes !== undefined && bodyBytes !== options.answerBytes) {
            finish(new Error(`an answer of ${bodyBytes} bytes instead of ${options.answerBytes}`))
          }
          result.pieces += pieces
          result.answered += 1
          if (options.latencies) result.latencies.push((performance.now() - askedAt) * 1000)
          if (result.answered === options.requests) finish(null)
          else ask()
        },
      })
      socket.on('connect', ask)
      socket.on('data', read)
      socket.on('error', finish)
      socket.on('close', () => {
        if (result.answered < options.requests) finish(new Error('a connection was closed'))
      })
      sockets.push(socket)
    }
    for (let index = 0; index < Math.min(options.connections, options.requests); index++) open()
  })
}

function noteDelay(piece: Buffer, delays: number[]): void {
  const now = Number(process.hrtime.bigint() / 1000n)
  const stamp = /"stamp":(\d+)/.exec(piece.toString('latin1', 0, 64))
  if (stamp !== null) delays.push(now - Number(stamp[1]))
}

const held: Socket[] = []

/** Opens streams that stay open, and resolves when each has had its first event. */
function hold({ port, path, streams }: { port: number; path: string; streams: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    let begun = 0
    for (let index = 0; index < streams; index++) {
      const { bytes } = makeQuestion()
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      let heard = false
      socket.on('data', (piece: Buffer) => {
        if (heard || !piece.includes('data: ')) return
        heard = true
        begun += 1
        if (begun === streams) resolve(begun)
      })
      socket.on('error', reject)
      socket.write(requestHead(path, bytes.length))
      socket.write(bytes)
      held.push(socket)
    }
  })
}

function release(): void {
  for (const socket of held) socket.destroy()
  held.length = 0
}

/** Sends one body of zeros as fast as the receiver takes it. */
function upload({ port, path, bytes }: { port: number; path: string; bytes: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now()
    const piece = Buffer.alloc(64 * 1024)
    const socket = connect({ port, host: '127.0.0.1' })
    let left = bytes
    function pump(): void {
      while (left > 0) {
        const part = left >= piece.length ? piece : piece.subarray(0, left)
        left -= part.length
        if (!socket.write(part)) return
      }
    }
    socket.on('drain', pump)
    socket.on('error', reject)
    socket.on(
      'data',
      createMessageReader({
        head(text) {
          if (!text.startsWith('HTTP/1.1 200'))
            reject(new Error(`answered with ${text.slice(0, text.indexOf('\r\n'))}`))
        },
        body() {},
        end() {
          socket.destroy()
          resolve((performance.now() - startedAt) / 1000)
        },
      }),
    )
    socket.write(requestHead(path, bytes))
    pump()
  })
}

answerQuestions(0, { burst, hold, release, upload })
