/** What a Live session used, read from a copy of its frames. */
import t from 'tap'
import { WebSocket } from 'ws'
import { gateway, until } from './helper.ts'

const path = '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent'

t.test('a Live session is booked with the usage of all its turns, and with its model', async (t) => {
  const house = await gateway(t)
  const client = new WebSocket(`${house.url.replace('http', 'ws')}${path}?key=key-a`)
  t.teardown(() => client.terminate())
  const said: Record<string, { turnComplete?: boolean }>[] = []
  client.on('message', (data) => said.push(JSON.parse(data.toString())))
  await new Promise((resolve) => client.once('open', resolve))
  client.send(JSON.stringify({ setup: { model: 'models/gemini-2.0-flash-live-001' } }))
  await until(() => said.some((message) => message.setupComplete !== undefined))
  for (const [turn, text] of ['Who was Castor?', 'And Pollux?'].entries()) {
    client.send(JSON.stringify({ clientContent: { turns: [{ role: 'user', parts: [{ text }] }], turnComplete: true } }))
    await until(() => said.filter(({ serverContent }) => serverContent?.turnComplete).length === turn + 1)
  }
  client.close()
  await until(() => house.log.some(({ msg }) => msg === 'request'))
  const [event, ...others] = (await house.app.castor.books?.ledger.recent(10)) ?? []
  const { promptTokens, candidateTokens, thoughtTokens } = house.emulator.usageTotals()
  t.strictSame(others, [])
  t.match(event, {
    operation: 'live',
    modelAsked: 'gemini-2.0-flash-live-001',
    outcome: 'completed',
    usageSource: 'reported',
    measures: { prompt: promptTokens, candidates: candidateTokens, thoughts: thoughtTokens, unpricedAttempts: 0 },
  })
  t.ok((event?.measures.cost ?? 0) > 0)
})

t.test('a Live session that Gemini does not open is booked once, at no cost', async (t) => {
  const house = await gateway(t)
  house.emulator.faults.add({ fault: { kind: 'close' } })
  const client = new WebSocket(`${house.url.replace('http', 'ws')}${path}?key=key-a`)
  await new Promise((resolve) => client.once('error', resolve))
  await until(() => house.log.some(({ msg }) => msg === 'request'))
  const events = (await house.app.castor.books?.ledger.recent(10)) ?? []
  t.equal(events.length, 1)
  t.match(events[0], { operation: 'live', measures: { cost: 0, prompt: 0 } })
})
