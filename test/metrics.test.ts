/** Figures for Prometheus: what they count, and that no client can make them grow without end. */
import t from 'tap'
import { createModelLabels } from '../src/metrics/registry.ts'
import { callRaw, gateway, gatewayTo, until, upstream } from './helper.ts'
import { deadOrigin, generate, post, request } from './nemesis.ts'

const question = JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'Who was Castor?' }] }] })
const figures = async (url: string) => (await fetch(`${url}/metrics`)).text()
/** Lines of one metric. */
const series = (text: string, name: string) => text.split('\n').filter((line) => line.startsWith(`${name}{`))

t.test('calls, tokens and times are counted by route and model', async (t) => {
  const { url, log } = await gateway(t)
  const response = await callRaw(url, post(generate, question)).response
  const { usageMetadata } = JSON.parse(response.body.toString())
  // The line in the log is written after the count.
  await until(() => log.some(({ msg }) => msg === 'request'), 2000)
  const text = await figures(url)
  const route = 'route="/v1beta/models/:model:generateContent"'
  t.match(
    text,
    `castor_requests_total{${route},model="gemini-2.5-flash",status="200",outcome="complete",source="upstream"} 1`,
  )
  t.match(text, `castor_tokens_total{model="gemini-2.5-flash",class="prompt"} ${usageMetadata.promptTokenCount}`)
  t.match(text, `castor_request_duration_seconds_count{${route},model="gemini-2.5-flash"} 1`)
  t.match(text, `castor_first_byte_seconds_count{${route},model="gemini-2.5-flash"} 1`)
  t.match(text, /^castor_overhead_seconds_count 1$/m)
  t.match(text, 'castor_upstream_attempts_total{result="complete"} 1')
  t.match(text, /^process_cpu_seconds_total /m)
})

t.test('failures are counted by their reason, and nothing stays in progress', async (t) => {
  const { url } = await gatewayTo(t, await deadOrigin())
  await callRaw(url, post(generate, question)).response
  await callRaw(url, request('GET /v1beta/models')).response
  await callRaw(url, post(generate, '{}', ['x-castor-tags: ?'])).response
  const text = await figures(url)
  t.match(text, 'castor_errors_total{reason="CASTOR_UPSTREAM_UNREACHABLE"} 2')
  t.match(text, 'castor_upstream_attempts_total{result="CASTOR_UPSTREAM_UNREACHABLE"} 1')
  t.match(text, /^castor_in_flight_requests 0$/m)
  t.match(text, /^castor_held_body_bytes 0$/m)
  t.match(text, /^castor_live_sessions 0$/m)
})

t.test('names that clients invent make no series of their own', async (t) => {
  const refusal = 'HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}'
  const peer = await upstream(t, () => ({ slices: [refusal] }))
  const { url } = await gatewayTo(t, peer.url)
  const invent = async (index: number) => {
    const paths = [
      `/v1beta/models/invented-${index}:generateContent`,
      `/v1beta/models/INVENTED%20${index}:generateContent`,
      `/v1beta/models/invented:verb${index}`,
      `/v1beta/files/invented-${index}`,
      `/invented-${index}/a`,
      `/v1beta/invented-${index}/a/b/c`,
      `/v${index + 50}/models`,
    ]
    await Promise.all(paths.map((path) => callRaw(url, post(path, '{}')).response))
    await callRaw(url, post('/v1beta/openai/chat/completions', `{"model":"invented-${index}"}`)).response
  }
  await invent(1)
  const before = series(await figures(url), 'castor_requests_total').length
  for (let index = 2; index < 12; index++) await invent(index)
  const text = await figures(url)
  t.notMatch(text, /invented/i)
  t.equal(series(text, 'castor_requests_total').length, before)
})

t.test('a model has figures of its own once Gemini has answered for it, up to the limit', async (t) => {
  const label = createModelLabels(() => 2)
  t.equal(label(null, true), '')
  t.equal(label('gemini-a', false), 'other', 'not yet')
  t.equal(label('gemini-a', true), 'gemini-a')
  t.equal(label('gemini-a', false), 'gemini-a', 'from then on also when it fails')
  t.equal(label('AIzaSyCANARY', true), 'other', 'what is no model’s name never')
  t.equal(label('gemini-b', true), 'gemini-b')
  t.equal(label('gemini-c', true), 'other', 'the limit')
})

t.test('they can be turned off, and are then nobody’s', async (t) => {
  const { url } = await gatewayTo(t, await deadOrigin(), 'metrics: { enabled: false }')
  const response = await fetch(`${url}/metrics`)
  t.equal(response.status, 403, 'a path like any other')
})
