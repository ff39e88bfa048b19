/** A mail server for tests: takes every message (RFC 5321), and refuses recipients on request. */
import { type AddressInfo, createServer, type Socket } from 'node:net'

export interface Delivered {
  from: string
  to: string[]
  /** as it came, dot-stuffing undone */
  text: string
}

export interface SmtpServer {
  port: number
  messages: Delivered[]
  close(): Promise<void>
}

/** @param refuses recipients that are answered with 550 */
export async function startSmtp(refuses: (address: string) => boolean = () => false): Promise<SmtpServer> {
  const messages: Delivered[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
    converse(socket, messages, refuses)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    // Listening on TCP: never a path or null.
    port: (server.address() as AddressInfo).port,
    messages,
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

function converse(socket: Socket, messages: Delivered[], refuses: (address: string) => boolean): void {
  let mail: Delivered = { from: '', to: [], text: '' }
  let buffer = ''
  let inData = false
  const say = (line: string) => socket.write(`${line}\r\n`)

  function command(line: string): void {
    const address = /<([^>]*)>/.exec(line)?.[1] ?? ''
    const verb = line.slice(0, 4).toUpperCase()
    if (verb === 'EHLO') say('250-test\r\n250 8BITMIME')
    else if (verb === 'MAIL') {
      mail = { from: address, to: [], text: '' }
      say('250 ok')
    } else if (verb === 'RCPT') {
      if (refuses(address)) return void say('550 no such person')
      mail.to.push(address)
      say('250 ok')
    } else if (verb === 'DATA') {
      inData = true
      say('354 go on')
    } else if (verb === 'QUIT') socket.end('221 bye\r\n')
    else say(verb === 'HELO' || verb === 'RSET' || verb === 'NOOP' ? '250 ok' : '502 not here')
  }

  say('220 test')
  socket.setEncoding('utf8').on('data', (text: string) => {
    buffer += text
    for (let end = buffer.indexOf('\r\n'); end >= 0; end = buffer.indexOf('\r\n')) {
      const line = buffer.slice(0, end)
      buffer = buffer.slice(end + 2)
      if (!inData) command(line)
      else if (line === '.') {
        inData = false
        messages.push(mail)
        say('250 taken')
      } else mail.text += `${line.startsWith('.') ? line.slice(1) : line}\r\n`
    }
  })
}
