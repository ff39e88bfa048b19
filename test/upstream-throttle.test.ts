import t from 'tap'
import type { QuotaNews } from '../src/upstream/quota.ts'
import { createThrottle } from '../src/upstream/throttle.ts'

const minute = (delayMs: number): QuotaNews => ({ kind: 'minute', delayMs, quotaId: 'PerMinute' })
const day: QuotaNews = { kind: 'day', delayMs: null, quotaId: 'RequestsPerDay' }
const unclear: QuotaNews = { kind: 'unclear', delayMs: null, quotaId: null }

function open(start = '2026-11-20T20:00:00Z') {
  const clock = { ms: Date.parse(start) }
  const settings = { enabled: true, maxPause: 90_000 }
  const throttle = createThrottle({ settings: () => settings, now: () => clock.ms, random: () => 1 })
  return { throttle, clock, settings }
}

t.test('a quota of a minute parks its lane for as long as Gemini says, and no other', async (t) => {
  const { throttle, clock } = open()
  throttle.refused('a', minute(38_000))
  t.match(throttle.refusal('a'), { reason: 'CASTOR_UPSTREAM_QUOTA', retryAfterSeconds: 38, quotaId: 'PerMinute' })
  t.equal(throttle.refusal('b'), null)
  clock.ms += 37_500
  t.equal(throttle.refusal('a')?.retryAfterSeconds, 1)
  clock.ms += 500
  t.equal(throttle.refusal('a'), null)
})

t.test('a quota of the day parks until midnight Pacific, on days of any length', async (t) => {
  for (const [at, until] of [
    ['2026-11-20T20:00:00Z', '2026-11-21T08:00:00Z'],
    ['2026-07-01T06:59:00Z', '2026-07-01T07:00:00Z'],
    ['2026-11-01T08:00:00Z', '2026-11-02T08:00:00Z'],
    ['2026-03-08T09:00:00Z', '2026-03-09T07:00:00Z'],
  ] as const) {
    const { throttle } = open(at)
    t.equal(throttle.refused('a', day), Date.parse(until) - Date.parse(at), at)
  }
})

t.test('a later, shorter word never shortens the wait', async (t) => {
  const { throttle } = open()
  throttle.refused('a', minute(60_000))
  throttle.refused('a', minute(5_000))
  t.equal(throttle.refusal('a')?.retryAfterSeconds, 60)
  throttle.answered('a')
  t.ok(throttle.refusal('a'), 'nor does the answer to a call sent before')
})

t.test('a refusal that names no time parks from the second in a row on, longer each time', async (t) => {
  const { throttle, clock } = open()
  const pauses = []
  for (let time = 0; time < 10; time += 1) {
    const pauseMs = throttle.refused('a', unclear)
    pauses.push(pauseMs)
    clock.ms += pauseMs
  }
  t.same(pauses.slice(0, 5), [0, 1000, 2000, 4000, 8000])
  t.equal(Math.max(...pauses), 90_000, 'up to throttle.maxPause')
  throttle.answered('a')
  t.equal(throttle.refused('a', unclear), 0, 'an answer begins anew')
})

t.test('however many lanes there are, memory is bounded', async (t) => {
  const { throttle } = open()
  for (let lane = 0; lane < 10_050; lane += 1) throttle.refused(`lane ${lane}`, minute(1000))
  t.equal(throttle.state().parked, 10_000)
  t.equal(throttle.refusal('lane 0'), null, 'the first is forgotten')
  throttle.clear()
  t.same(throttle.state(), { parked: 0, lastUntilMs: null })
})

t.test('switched off, it refuses nothing', async (t) => {
  const { throttle, settings } = open()
  throttle.refused('a', day)
  settings.enabled = false
  t.equal(throttle.refusal('a'), null)
})
