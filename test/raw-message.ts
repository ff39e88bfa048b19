/** HTTP/1.1 messages as bytes: read from a connection, and written. */

/** One HTTP message as it came over the wire. */
export interface RawMessage {
  /** request line or status line */
  start: string
  /** names and values as sent, in order */
  headers: [name: string, value: string][]
  /** the body with its chunked framing undone, all other encodings left alone */
  body: Buffer
  /** the body in the pieces in which its framing delivered it: HTTP chunks, or reads of the socket */
  pieces: Buffer[]
  /** whether the message ended as its framing promised; false when the connection ended first */
  complete: boolean
}

/** What is read: where its body ends differs. */
export type Kind = 'request' | 'response' | 'head response'

/** Parses the HTTP messages of one direction of a connection. `end` reports an unfinished one; true when any was reported. */
export function readMessages(kind: Kind, found: (message: RawMessage) => void) {
  let rest: Buffer = Buffer.alloc(0)
  let current: RawMessage | null = null
  let left = 0
  let framing: 'length' | 'chunked' | 'close' = 'length'
  let reported = false

  const report = (done: RawMessage, complete: boolean): void => {
    current = null
    reported = true
    found({ ...done, body: Buffer.concat(done.pieces), complete })
  }

  const begin = (): RawMessage | null => {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) return null
    const [start = '', ...lines] = rest.toString('latin1', 0, end).split('\r\n')
    rest = rest.subarray(end + 4)
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    })
    const length = headerOf(headers, 'content-length')
    const status = kind === 'request' ? 0 : Number(start.split(' ')[1])
    const bodiless = kind === 'head response' || status === 204 || status === 304 || (status >= 100 && status < 200)
    if (bodiless) [framing, left] = ['length', 0]
    else if (/chunked/i.test(headerOf(headers, 'transfer-encoding') ?? '')) framing = 'chunked'
    else if (length !== undefined || kind === 'request') [framing, left] = ['length', Number(length ?? 0)]
    else framing = 'close'
    return { start, headers, body: rest, pieces: [], complete: false }
  }

  /** Takes body bytes; true when the message is whole. */
  const advance = (pieces: Buffer[]): boolean => {
    if (framing === 'chunked') return advanceChunked(pieces)
    const take = framing === 'close' ? rest.length : Math.min(left, rest.length)
    if (take > 0) pieces.push(rest.subarray(0, take))
    rest = rest.subarray(take)
    left -= take
    return framing === 'length' && left === 0
  }

  const advanceChunked = (pieces: Buffer[]): boolean => {
    for (;;) {
      const line = rest.indexOf('\r\n')
      if (line < 0) return false
      const size = Number.parseInt(rest.toString('latin1', 0, line), 16)
      const end = line + 2 + size + 2
      if (rest.length < end) return false
      if (size > 0) pieces.push(rest.subarray(line + 2, end - 2))
      rest = rest.subarray(end)
      if (size === 0) return true
    }
  }

  return {
    push(bytes: Buffer): void {
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
      for (;;) {
        current ??= begin()
        if (current === null || !advance(current.pieces)) return
        report(current, true)
      }
    },
    end(): boolean {
      if (current !== null) report(current, framing === 'close')
      return reported
    },
  }
}

/** The first value of a header, its name in any case. */
export function headerOf(headers: [string, string][], name: string): string | undefined {
  return headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1]
}

/** All of an HTTP/1.1 message's bytes: start line, header lines, body. */
export function message(start: string, headers: [string, string][], body: Buffer | string = ''): Buffer {
  const head = [start, ...headers.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)])
}

/** Cuts bytes into HTTP chunks at the given lengths, without the final empty one. */
export function chunk(bytes: Buffer | string): Buffer {
  const data = Buffer.from(bytes)
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')])
}
