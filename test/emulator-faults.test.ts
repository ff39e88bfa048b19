import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { constants, gunzipSync } from 'node:zlib'
import t from 'tap'
import type { Emulator, Fault } from '../src/emulator/emulator.ts'
import { ask, type ErrorReply, events, type Reply, says, start } from './emulator-start.ts'

const path = '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse'
const unary = '/v1beta/models/gemini-2.5-flash:generateContent'

interface Wire {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: Buffer
  /** 'end' when the answer ended as HTTP wants, else the error's code. */
  ending: string
  /** Milliseconds until the headers. */
  headersMs: number
}

/** The answer as it came over the wire, broken or not. */
function wire(emulator: Emulator, headers: Record<string, string> = {}, target = path): Promise<Wire> {
  return new Promise((resolve) => {
    const startedAt = performance.now()
    const chunks: Buffer[] = []
    const request = httpRequest(emulator.url + target, {
      method: 'POST',
      headers: { 'x-goog-api-key': 'k', ...headers },
    })
    let answered = false
    request.on('error', (error: NodeJS.ErrnoException) => {
      // once headers came, the response tells of its end
      if (answered) return
      resolve({ status: 0, headers: {}, body: Buffer.alloc(0), ending: error.code ?? error.message, headersMs: 0 })
    })
    request.on('response', (response) => {
      answered = true
      const headersMs = performance.now() - startedAt
      const done = (ending: string) =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
          ending,
          headersMs,
        })
      response.on('data', (chunk: Buffer) => void chunks.push(chunk))
      response.on('end', () => done('end'))
      response.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
    })
    request.end(JSON.stringify(says('Was heißt „Zwilling“ auf Griechisch?')))
  })
}

/** An emulator whose next call suffers `fault`. */
async function struck(t: Tap, fault: Fault | Fault[], options = {}): Promise<Emulator> {
  const emulator = await start(t, {
    chunkTokens: 8,
    answerTokens: 60,
    answer: () => 'Zwölf Zwillinge grüßen. '.repeat(12),
    ...options,
  })
  emulator.faults.add({ fault, times: 1 })
  return emulator
}

type Tap = Parameters<typeof start>[0]

/** Whole events of a body. */
const whole = (body: Buffer) => body.toString().split('\r\n\r\n').slice(0, -1)

t.test('named errors carry Google’s details, and Retry-After when asked', async (t) => {
  const emulator = await struck(t, { kind: 'error', error: 'quotaPerDay', retryAfter: 7 })
  const answer = await ask(emulator, unary, says('Hi'))
  t.equal(answer.status, 429)
  t.equal(answer.headers.get('retry-after'), '7')
  t.match(answer.json<ErrorReply>().error.details, [
    { '@type': /Help$/ },
    { violations: [{ quotaId: /PerDay/, quotaDimensions: { model: 'gemini-2.5-flash' } }] },
    { retryDelay: '32s' },
  ])
  t.equal((await ask(emulator, unary, says('Hi'))).status, 200)
})

t.test('every named error has its status', async (t) => {
  const emulator = await start(t)
  const expected = {
    quotaPerMinute: 429,
    quotaShort: 429,
    quotaSpend: 429,
    creditsEmpty: 402,
    vertexExhausted: 429,
    badRequest: 400,
    location: 400,
    tooLong: 400,
    keyInvalid: 400,
    keyMissing: 403,
    tokenInvalid: 401,
    keyLeaked: 403,
    modelGone: 404,
    cancelled: 499,
    internal: 500,
    overloaded: 503,
    highDemand: 503,
    deadline: 504,
  } as const
  for (const [error, status] of Object.entries(expected)) {
    emulator.faults.add({ fault: { kind: 'error', error: error as keyof typeof expected }, times: 1 })
    const answer = await ask(emulator, unary, says('Hi'))
    t.equal(answer.status, status, error)
    t.equal(answer.json<ErrorReply>().error.code, status, error)
  }
})

t.test('rules pick calls by model, operation, key, number and chance', async (t) => {
  const emulator = await start(t)
  const error = { kind: 'error', error: 'internal' } as const
  const statuses = async (target: string, times: number, key = 'k') => {
    const found: number[] = []
    for (let index = 0; index < times; index++) {
      found.push((await ask(emulator, target, says('Hi'), { headers: { 'x-goog-api-key': key } })).status)
    }
    return found
  }
  const remove = emulator.faults.add({
    match: { model: 'gemini-2.5-*', operation: 'generateContent', nth: [2, 3] },
    fault: error,
  })
  t.strictSame(await statuses(unary, 4), [200, 500, 500, 200])
  t.strictSame(await statuses('/v1/models/gemini-3.5-flash:generateContent', 2), [200, 200])
  remove()
  emulator.faults.add({ match: { key: 'other' }, fault: error, times: 1 })
  t.strictSame([await statuses(unary, 1), await statuses(unary, 2, 'other')], [[200], [500, 200]])
  emulator.faults.clear()
  emulator.faults.add({ match: { probability: 0.5 }, fault: error })
  const first = await statuses(unary, 20)
  t.ok(first.includes(200) && first.includes(500))
  emulator.faults.clear()
  emulator.faults.add({ match: { probability: 0.5 }, fault: error })
  t.strictSame(await statuses(unary, 20), first)
})

t.test('a raw error tail follows whole events on a 200', async (t) => {
  const emulator = await struck(t, { kind: 'errorTail', afterEvents: 2 })
  const answer = await wire(emulator)
  t.equal(answer.status, 200)
  t.equal(answer.ending, 'end')
  const pieces = answer.body.toString().split('\r\n\r\n')
  t.equal(pieces.length, 3)
  t.match(pieces[2], /^\{\n {2}"error": \{\n {4}"code": 503,/)
})

t.test('an array stream takes the error as an element', async (t) => {
  const emulator = await struck(t, { kind: 'errorTail', afterEvents: 1, error: 'internal' })
  const answer = await ask(emulator, path.replace('?alt=sse', ''), says('Hi'))
  t.match(answer.json(), [{ candidates: [{}] }, { error: { code: 500 } }])
})

t.test('a cut stream ends inside an event, or inside a character, without a proper end', async (t) => {
  const event = await wire(await struck(t, { kind: 'cut', afterEvents: 1 }))
  t.equal(event.ending, 'ECONNRESET')
  t.equal(whole(event.body).length, 1)
  t.notMatch(event.body.toString(), /\r\n\r\n$/)
  const character = await wire(await struck(t, { kind: 'cut', afterEvents: 1, where: 'utf8' }))
  t.ok(character.body.at(-1)! >= 0xc0)
})

t.test('a truncated stream ends in order but without finishReason', async (t) => {
  const answer = await wire(await struck(t, { kind: 'truncate', afterEvents: 2 }))
  t.equal(answer.ending, 'end')
  t.equal(whole(answer.body).length, 2)
  t.notMatch(answer.body.toString(), /finishReason/)
})

t.test('half an event and a clean end', async (t) => {
  const answer = await wire(await struck(t, { kind: 'halfEvent', afterEvents: 1 }))
  t.equal(answer.ending, 'end')
  t.equal(whole(answer.body).length, 1)
})

t.test('resets come before the headers or after so many bytes', async (t) => {
  const before = await wire(await struck(t, { kind: 'reset' }))
  t.equal(before.status, 0)
  t.equal(before.ending, 'ECONNRESET')
  const after = await wire(await struck(t, { kind: 'reset', afterBytes: 300 }))
  t.equal(after.status, 200)
  t.equal(after.body.length, 300)
  t.equal(after.ending, 'ECONNRESET')
})

t.test('a connection may close in order before any header', async (t) => {
  const emulator = await struck(t, { kind: 'close' })
  const ending = await new Promise<string>((resolve) => {
    const socket = connect(emulator.port, '127.0.0.1', () => {
      const body = JSON.stringify(says('Hi'))
      socket.write(`POST ${unary}?key=k HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    })
    let bytes = 0
    socket.on('data', (data) => {
      bytes += data.length
    })
    socket.on('error', () => resolve('error'))
    socket.on('end', () => resolve(`end after ${bytes} bytes`))
  })
  t.equal(ending, 'end after 0 bytes')
})

t.test('delays hold headers and body back, or the first event alone', async (t) => {
  const all = await wire(await struck(t, { kind: 'delay', ms: 120 }))
  t.ok(all.headersMs >= 100)
  const event = await struck(t, { kind: 'firstEvent', ms: 60_000 })
  const headers = await new Promise<number>((resolve) => {
    const request = httpRequest(
      event.url + path,
      { method: 'POST', headers: { 'x-goog-api-key': 'k' } },
      (response) => {
        resolve(response.statusCode ?? 0)
        request.destroy()
      },
    )
    request.on('error', () => undefined)
    request.end(JSON.stringify(says('Hi')))
  })
  t.equal(headers, 200)
})

t.test('a stall sends nothing more, and a client that gives up counts as gone', async (t) => {
  const emulator = await struck(t, { kind: 'stall', afterEvents: 1 })
  const body = await new Promise<string>((resolve) => {
    const request = httpRequest(
      emulator.url + path,
      { method: 'POST', headers: { 'x-goog-api-key': 'k' } },
      (response) => {
        response.on('error', () => undefined)
        response.once('data', (chunk: Buffer) => {
          request.destroy()
          resolve(chunk.toString())
        })
      },
    )
    request.on('error', () => undefined)
    request.end(JSON.stringify(says('Hi')))
  })
  t.equal(events(body).length, 1)
  while (emulator.calls[0]!.endedAt === 0) await new Promise((resolve) => setImmediate(resolve))
  t.equal(emulator.calls[0]!.aborted, true)
  t.ok(emulator.calls[0]!.usage!.totalTokens > 0, 'what was reported until then is booked')
})

t.test('a short stall only pauses', async (t) => {
  const answer = await wire(await struck(t, { kind: 'stall', afterEvents: 1, ms: 5 }))
  t.equal(answer.ending, 'end')
  t.match(answer.body.toString(), /"finishReason": "STOP"/)
})

t.test('usage may be missing, or stand on the first chunk only', async (t) => {
  const missing = await struck(t, { kind: 'usage', mode: 'missing' })
  t.ok(events((await wire(missing)).body.toString()).every((chunk) => chunk.usageMetadata === undefined))
  t.equal(missing.calls[0]!.usage, undefined)
  const early = await struck(t, { kind: 'usage', mode: 'early' })
  const [first, ...others] = events((await wire(early)).body.toString())
  t.ok(first!.usageMetadata.candidatesTokenCount! > 0)
  t.ok(others.every((chunk) => chunk.usageMetadata === undefined))
  t.equal(early.calls[0]!.usage!.totalTokens, first!.usageMetadata.totalTokenCount)
})

t.test('Content-Length may promise too much or too little', async (t) => {
  const more = await wire(await struck(t, { kind: 'contentLength', delta: 100 }), {}, unary)
  t.equal(more.ending, 'ECONNRESET')
  const emulator = await struck(t, { kind: 'contentLength', delta: -100 })
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(emulator.port, '127.0.0.1')
    const body = JSON.stringify(says('Hi'))
    socket.write(`POST ${unary}?key=k HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    socket.once('data', (data) => {
      socket.destroy()
      resolve(data.toString())
    })
  })
  const [head, body] = answer.split('\r\n\r\n')
  t.equal(Buffer.byteLength(body!) - Number(/^Content-Length: (\d+)/m.exec(head!)![1]), 100)
})

t.test('gzip follows Accept-Encoding, flushes each event, and can come unasked', async (t) => {
  const emulator = await start(t, { gzip: true, tokensPerSecond: 400, chunkTokens: 8 })
  const asked = await wire(emulator, { 'accept-encoding': 'gzip, deflate' })
  t.equal(asked.headers['content-encoding'], 'gzip')
  t.ok(events(gunzipSync(asked.body).toString()).length > 2)
  t.equal((await wire(emulator, { 'accept-encoding': 'identity' })).headers['content-encoding'], undefined)
  t.equal((await wire(emulator, { 'accept-encoding': 'gzip;q=0' })).headers['content-encoding'], undefined)
  const readable = await new Promise<number>((resolve) => {
    const headers = { 'x-goog-api-key': 'k', 'accept-encoding': 'gzip' }
    const chunks: Buffer[] = []
    const request = httpRequest(emulator.url + path, { method: 'POST', headers }, (response) => {
      response.on('error', () => undefined)
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        const text = gunzipSync(Buffer.concat(chunks), { finishFlush: constants.Z_SYNC_FLUSH }).toString()
        if (!text.endsWith('\r\n\r\n')) return
        request.destroy()
        resolve(events(text).length)
      })
    })
    request.on('error', () => undefined)
    request.end(JSON.stringify(says('Hi')))
  })
  t.equal(readable, 1, 'the first event is readable before the second comes')
  const unasked = await wire(await struck(t, { kind: 'gzip' }))
  t.equal(unasked.headers['content-encoding'], 'gzip')
})

t.test('prompts can be blocked and answers finished early', async (t) => {
  const blocked = (
    await ask(await struck(t, { kind: 'block', reason: 'PROHIBITED_CONTENT' }), unary, says('Hi'))
  ).json<Reply>()
  t.equal(blocked.promptFeedback!.blockReason, 'PROHIBITED_CONTENT')
  t.equal(blocked.candidates, undefined)
  t.equal(blocked.usageMetadata.candidatesTokenCount, undefined)
  for (const reason of ['SAFETY', 'RECITATION', 'MAX_TOKENS']) {
    const answer = (await ask(await struck(t, { kind: 'finish', reason }), unary, says('Hi'))).json<Reply>()
    t.equal(answer.candidates[0]!.finishReason, reason)
  }
})

t.test('several faults strike one call together', async (t) => {
  const emulator = await struck(t, [{ kind: 'gzip' }, { kind: 'errorTail', afterEvents: 1 }])
  const answer = await wire(emulator)
  t.match(gunzipSync(answer.body).toString(), /^data: [^\r]+\r\n\r\n\{\n {2}"error"/)
})

t.test('another process scripts faults and reads calls over HTTP', async (t) => {
  const emulator = await start(t)
  const rule = { match: { operation: 'generateContent' }, fault: { kind: 'error', error: 'overloaded' }, times: 1 }
  t.equal((await ask(emulator, '/__emulator/faults', rule)).status, 200)
  t.equal((await ask(emulator, unary, says('Hi'))).status, 503)
  t.equal((await ask(emulator, unary, says('Hi'))).status, 200)
  t.strictSame((await ask(emulator, '/__emulator/faults')).json(), [rule])
  t.equal((await ask(emulator, '/__emulator/faults', { fault: { kind: 'tea' } })).status, 400)
  t.equal((await ask(emulator, '/__emulator/faults', undefined, { method: 'DELETE' })).status, 200)
  t.strictSame(emulator.faults.rules, [])
  t.match((await ask(emulator, '/__emulator/count?status=503')).json(), { count: 1 })
  const calls = (await ask(emulator, '/__emulator/calls')).json<{ status: number; body: string }[]>()
  t.strictSame(
    calls.map((call) => call.status),
    [503, 200],
  )
  t.strictSame(JSON.parse(Buffer.from(calls[0]!.body, 'base64').toString()), says('Hi'))
  t.equal((await ask(emulator, '/__emulator/reset', {})).status, 200)
  t.match((await ask(emulator, '/__emulator/count')).json(), { count: 0 })
})
