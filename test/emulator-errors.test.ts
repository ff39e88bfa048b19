import t from 'tap'
import { pretty } from '../src/emulator/framing.ts'
import { ask, type ErrorReply, noRecordings, recordings, says, start } from './emulator-start.ts'

const flash = '/v1beta/models/gemini-3.5-flash'
const older = '/v1beta/models/gemini-2.5-flash'

t.test('errors keep the framing of their call', async (t) => {
  const emulator = await start(t)
  const wrong = { contents: [] }
  const unary = await ask(emulator, `${flash}:generateContent`, wrong)
  t.equal(unary.status, 400)
  t.equal(unary.text, pretty(JSON.parse(unary.text)))
  const sse = await ask(emulator, `${flash}:streamGenerateContent?alt=sse`, wrong)
  t.equal(sse.status, 400)
  t.equal(sse.headers.get('content-type'), 'text/event-stream')
  t.equal(sse.text, unary.text)
  const array = await ask(emulator, `${flash}:streamGenerateContent`, wrong)
  t.equal(array.text, `[${unary.text}]`)
})

t.test('a wrong key is 400 API_KEY_INVALID, no key 403, a foreign token 401', { skip: noRecordings }, async (t) => {
  const emulator = await start(t)
  const wrong = await ask(emulator, `${older}:generateContent?key=bad`, says('Hi'), { headers: {} })
  const recorded = recordings('raw').find((one) => one.file === 'ruby_llm/0037-generateContent-400.json')!
  t.equal(wrong.text, recorded.responseBody)
  t.equal((await ask(emulator, `${older}:generateContent`, says('Hi'), { headers: {} })).status, 403)
  const bearer = { headers: { authorization: 'Bearer something' } }
  t.equal((await ask(emulator, `${older}:generateContent`, says('Hi'), bearer)).status, 401)
  t.equal((await ask(emulator, `${older}:generateContent?key=good`, says('Hi'), { headers: {} })).status, 200)
})

t.test('unknown models, verbs and paths are refused in Google’s ways', async (t) => {
  const emulator = await start(t)
  const model = await ask(emulator, '/v1/models/gemini-5.0-flash:generateContent', says('Hi'))
  t.equal(model.status, 404)
  t.match(
    model.json<ErrorReply>().error.message,
    /^models\/gemini-5.0-flash is not found for API version v1, or is not supported for generateContent\./,
  )
  for (const path of [`${flash}:paint`, '/v1beta/nothing', '/v7/models', '/', '/v1beta/%zz', '//']) {
    const page = await ask(emulator, path, says('Hi'))
    t.equal(page.status, 404, path)
    t.equal(page.headers.get('content-type'), 'text/html; charset=UTF-8', path)
  }
})

t.test('bad bodies are 400 in Google’s words', async (t) => {
  const emulator = await start(t)
  const message = async (body: unknown) => {
    const answer = await ask(emulator, `${flash}:generateContent`, body)
    t.equal(answer.status, 400)
    return answer.json<ErrorReply>().error.message
  }
  t.match(await message('{"contents": ['), /^Invalid JSON payload received\./)
  t.match(await message('[]'), /Root element must be a message/)
  t.match(
    await message(says('x', { colour: 1 })),
    /^Invalid JSON payload received. Unknown name "colour": Cannot find field\./,
  )
  t.match(await message(says('x', { generationConfig: { heat: 1 } })), /Unknown name "heat" at 'generation_config'/)
  t.match(
    await message(says('x', { generationConfig: { temperature: 'warm' } })),
    /'generation_config.temperature' \(TYPE_FLOAT\), "warm"/,
  )
  t.match(await message({ contents: 'hello' }), /Invalid value at 'contents'/)
  t.match(
    await message({ contents: [{ role: 'robot', parts: [{ text: 'x' }] }] }),
    'Please use a valid role: user, model.',
  )
  t.match(
    await message(
      `{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"x":${'['.repeat(50_000)}${']'.repeat(50_000)}}}}]}]}`,
    ),
    /too deep|function response/,
  )
  const details = (await ask(emulator, `${flash}:generateContent`, { a: 1, b: 2 })).json<ErrorReply>().error.details
  t.match(details, [{ '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{}, {}] }])
})

t.test('requests and input tokens over the minute’s quota are 429 until the next minute', async (t) => {
  let now = 60_000_000
  const emulator = await start(t, { rpm: 2, tpm: 1000, clock: () => now })
  const status = async (text = 'Hi') => (await ask(emulator, `${older}:generateContent`, says(text))).status
  t.strictSame([await status(), await status(), await status()], [200, 200, 429])
  now += 60_000
  t.strictSame([await status('word '.repeat(700)), await status('word '.repeat(700))], [200, 429])
  const details = (await ask(emulator, `${older}:generateContent`, says('word '.repeat(700)))).json<ErrorReply>().error
    .details!
  t.match(details[1], {
    violations: [{ quotaId: 'GenerateContentPaidTierInputTokensPerModelPerMinute', quotaValue: '1000' }],
  })
  t.match(details[2], { retryDelay: '60s' })
})

t.test('the client’s own deadline is honoured with 504', async (t) => {
  const emulator = await start(t, { firstByteMs: 60_000 })
  const headers = { 'x-goog-api-key': 'k', 'x-server-timeout': '0.05' }
  const answer = await ask(emulator, `${older}:generateContent`, says('Hi'), { headers })
  t.equal(answer.status, 504)
  t.equal(answer.json<ErrorReply>().error.status, 'DEADLINE_EXCEEDED')
})
