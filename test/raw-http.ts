/** HTTP/1.1 peers that see and send bytes: an upstream that plays given bytes, and a client that keeps what it gets. */
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { connect as dialTls } from 'node:tls'
import { type RawMessage, readMessages } from './raw-message.ts'

/** A request as a scripted upstream saw it. */
export interface RawRequest extends RawMessage {
  method: string
  /** path and query exactly as sent */
  url: string
}

/** A response as a raw client saw it. */
export interface RawResponse extends RawMessage {
  status: number
}

/** A piece of bytes, or something to wait for before the next piece goes out. */
export type Slice = Buffer | string | (() => Promise<unknown>)

/** What an upstream plays for one request; every slice is a write of its own. */
export interface Play {
  slices: Slice[]
  /** what becomes of the connection afterwards; default keep */
  ending?: 'keep' | 'end' | 'destroy' | 'reset'
}

export interface Upstream {
  /** origin without a trailing slash */
  url: string
  /** requests that arrived whole, in order */
  requests: RawRequest[]
  /** connections open now */
  readonly open: number
  close(): Promise<void>
}

/**
 * Starts an upstream on a free port of 127.0.0.1 that answers each request with the bytes that `handler` returns, status line and all.
 * The caller closes it.
 */
export async function startUpstream(handler: (request: RawRequest) => Play | Promise<Play>): Promise<Upstream> {
  const sockets = new Set<Socket>()
  const requests: RawRequest[] = []
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    const reader = readMessages('request', (message) => {
      const [method = '', url = ''] = message.start.split(' ')
      const request = { ...message, method, url }
      requests.push(request)
      void Promise.resolve(handler(request)).then((play) => perform(socket, play))
    })
    socket.on('data', reader.push)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    // Listening on TCP: never a path or null.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get open() {
      return sockets.size
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

async function perform(socket: Socket, { slices, ending = 'keep' }: Play): Promise<void> {
  for (const slice of slices) {
    if (typeof slice === 'function') await slice()
    else if (socket.writable)
      await new Promise<void>((resolve) => void socket.write(slice, () => setImmediate(resolve)))
  }
  if (ending === 'end') socket.end()
  if (ending === 'destroy') socket.destroy()
  if (ending === 'reset') socket.resetAndDestroy()
}

export interface RawCall {
  /** bytes received so far, head and framing included */
  readonly received: number
  /** answers within the deadline; rejects when nothing of a response came before the connection ended */
  response: Promise<RawResponse>
  /** sends more of the request */
  write(bytes: Buffer | string): void
  /** leaves at once */
  leave(): void
}

/**
 * Sends bytes to an origin on a connection of their own and reads one response.
 * @param deadlineMs longest wait for the whole response
 */
export function callRaw(url: string, bytes: Buffer | string, deadlineMs = 20_000): RawCall {
  const { protocol, hostname, port } = new URL(url)
  const socket =
    protocol === 'https:'
      ? dialTls({ port: Number(port), host: hostname, rejectUnauthorized: false })
      : dial({ port: Number(port), host: hostname, noDelay: true })
  const method = bytes.toString('latin1', 0, 5).startsWith('HEAD ') ? 'HEAD' : ''
  const response = new Promise<RawResponse>((resolve, reject) => {
    const finish = (message: RawMessage): void => {
      // 1xx responses are interim (RFC 9110 §15.2).
      const status = Number(message.start.split(' ')[1])
      if (status >= 100 && status < 200 && status !== 101) return
      clearTimeout(deadline)
      socket.destroy()
      resolve({ ...message, status })
    }
    const deadline = setTimeout(() => {
      socket.destroy()
      reject(new Error(`no complete response from ${url} within ${deadlineMs} ms`))
    }, deadlineMs)
    const reader = readMessages(method === 'HEAD' ? 'head response' : 'response', finish)
    socket.on('data', reader.push)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      clearTimeout(deadline)
      if (!reader.end()) reject(new Error('the connection ended before a response'))
    })
    socket.write(bytes)
  })
  // Who leaves early may not care for the answer.
  response.catch(() => {})
  return {
    response,
    get received() {
      return socket.bytesRead
    },
    write: (more) => void socket.write(more),
    leave: () => void socket.destroy(),
  }
}
