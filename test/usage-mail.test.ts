import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { createMailer, MailError, readAddresses } from '../src/usage/mail.ts'
import { createReport } from '../src/usage/report.ts'
import { book, noon, openLedger, usageOf, utc } from './usage-traffic.ts'

interface Received {
  from: string
  to: string[]
  data: string
}

/** A small SMTP server (RFC 5321): takes mail, refuses the recipients it is told to. */
async function smtpServer(t: Test, refuse: RegExp = /$^/) {
  const mails: Received[] = []
  const server = createServer((socket) => converse(socket, mails, refuse))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { mails, port: (server.address() as AddressInfo).port }
}

function converse(socket: Socket, mails: Received[], refuse: RegExp): void {
  let mail: Received = { from: '', to: [], data: '' }
  let inData = false
  let rest = ''
  const say = (line: string): void => void socket.write(`${line}\r\n`)
  socket.on('error', () => socket.destroy())
  say('220 test ESMTP')
  socket.on('data', (bytes) => {
    rest += bytes.toString('utf8')
    for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
      const line = rest.slice(0, end)
      rest = rest.slice(end + 2)
      if (inData) {
        if (line !== '.') mail.data += `${line}\n`
        else {
          inData = false
          mails.push(mail)
          mail = { from: '', to: [], data: '' }
          say('250 taken')
        }
      } else if (/^EHLO/i.test(line)) say('250 test')
      else if (/^MAIL FROM:/i.test(line)) {
        mail.from = line
        say('250 ok')
      } else if (/^RCPT TO:/i.test(line)) {
        if (refuse.test(line)) say('550 no such user')
        else {
          mail.to.push(line.replace(/^RCPT TO:<(.*)>.*$/i, '$1'))
          say('250 ok')
        }
      } else if (/^DATA/i.test(line)) {
        inData = true
        say('354 go on')
      } else if (/^QUIT/i.test(line)) {
        say('221 bye')
        socket.end()
      } else say('250 ok')
    }
  })
}

async function sampleReport() {
  const ledger = openLedger()
  book(ledger, 3, { tenant: 'a\r\nBcc: evil@example.com', attempts: [{ usage: usageOf({ promptTokens: 1000 }) }] })
  const report = await createReport({ days: 1 }, { ledger, calendar: utc, now: () => noon })
  await ledger.close()
  return report
}

t.test('a report goes out as text and HTML with its figures attached', async (t) => {
  const { mails, port } = await smtpServer(t)
  const mailer = createMailer({ host: '127.0.0.1', port, secure: false, from: 'castor@example.com' })
  const result = await mailer.sendReport(['ops@example.com', 'cfo@example.com'], await sampleReport())
  mailer.close()
  t.same(result, { accepted: ['ops@example.com', 'cfo@example.com'], rejected: [] })
  const [mail] = mails
  t.same(mail?.to, ['ops@example.com', 'cfo@example.com'])
  t.match(mail?.data, /Subject: Castor usage report, 2026-11-20 \(UTC\)/)
  t.match(mail?.data, /Content-Type: text\/plain/)
  t.match(mail?.data, /Content-Type: text\/html/)
  t.match(mail?.data, /filename=castor-usage-2026-11-20-2026-11-20\.csv/)
  t.match(mail?.data, /Auto-Submitted: auto-generated/)
  const head = mail?.data.slice(0, mail.data.indexOf('\n\n'))
  t.notMatch(head, /evil@example\.com/, 'nothing from the traffic becomes a header')
})

t.test('a recipient the server refuses is told of; all refused is an error', async (t) => {
  const { port } = await smtpServer(t, /gone@/)
  const mailer = createMailer({ host: '127.0.0.1', port, secure: false, from: 'castor@example.com' })
  const report = await sampleReport()
  t.match(await mailer.sendReport(['ops@example.com', 'gone@example.com'], report), { rejected: ['gone@example.com'] })
  await t.rejects(mailer.sendReport(['gone@example.com'], report), { name: 'MailError', reason: 'refused' })
  mailer.close()
})

t.test('a server that is not there, or says nothing, is an error in time and names no secret', async (t) => {
  const silent = createServer(() => {})
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const options = {
    host: '127.0.0.1',
    port,
    secure: false,
    from: 'c@example.com',
    user: 'u',
    password: 'hunter2',
    timeoutMs: 100,
  }
  const report = await sampleReport()
  const errors: MailError[] = []
  await createMailer(options)
    .sendReport(['ops@example.com'], report)
    .catch((error) => errors.push(error))
  silent.close()
  await createMailer({ ...options, port: 1 })
    .sendReport(['ops@example.com'], report)
    .catch((error) => errors.push(error))
  t.equal(errors.length, 2)
  for (const error of errors) {
    t.match(error, { name: 'MailError', reason: 'unreachable' })
    t.notMatch(error.message, /hunter2/)
  }
})

function refusal(given: unknown): string | null {
  try {
    readAddresses(given)
    return null
  } catch (error) {
    return error instanceof MailError ? error.reason : String(error)
  }
}

t.test('addresses are checked strictly', async (t) => {
  t.same(readAddresses('a@example.com, b@example.com'), ['a@example.com', 'b@example.com'])
  t.same(readAddresses(['a@example.com', 'a@example.com']), ['a@example.com'])
  const bad = [
    '',
    'a',
    '@example.com',
    'a@',
    'a b@example.com',
    'a@example.com\r\nBcc: x@y.z',
    'A <a@example.com>',
    'a@-x.com',
    'a@b..c',
    `${'x'.repeat(300)}@example.com`,
  ]
  for (const each of bad) t.equal(refusal([each]), 'addresses', JSON.stringify(each))
  for (const each of [[], undefined, 7, {}, [7], Array(51).fill('a@example.com')]) {
    t.equal(refusal(each), 'addresses')
  }
  const started = performance.now()
  t.throws(() => readAddresses([`a@${'a-'.repeat(50_000)}`]))
  t.ok(performance.now() - started < 1_000, 'and in linear time')
})
