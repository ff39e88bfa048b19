/** The breaker, and the seven faults of opossum that facts/operations.md §3.2 measured: none of them shows. */
import { mock } from 'node:test'
import fc from 'fast-check'
import CircuitBreaker from 'opossum'
import t, { type Test } from 'tap'
import { type Breaker, createBreaker, type Pass } from '../src/upstream/breaker.ts'
import { createBreakers } from '../src/upstream/breakers.ts'

const settings = {
  window: 10_000,
  minimumCalls: 4,
  failureRate: 50,
  openFor: 1_000,
  maxOpenFor: 8_000,
  probeTimeout: 500,
}

/** opossum tells of an outcome a few turns of the microtask queue later. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await null
}

function open(t: Test, random = 0) {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] })
  const changes: string[] = []
  const breaker = createBreaker({
    settings,
    now: Date.now,
    random: () => random,
    onChange: (state) => void changes.push(state),
  })
  t.teardown(() => {
    breaker.close()
    mock.timers.reset()
  })
  return { breaker, changes, state: () => breaker.state().state }
}

function letIn(breaker: Breaker): Pass {
  const asked = breaker.ask()
  if ('waitMs' in asked) throw new Error(`refused for ${asked.waitMs} ms`)
  return asked
}

async function fail(breaker: Breaker, times = 4): Promise<void> {
  const passes = Array.from({ length: times }, () => letIn(breaker))
  for (const pass of passes) pass.settle('failure')
  await turns()
}

t.test(
  'it opens above the rate of failures, refuses with the time to the probe, and closes when the probe succeeds',
  async (t) => {
    const { breaker, changes, state } = open(t)
    await fail(breaker, 3)
    t.equal(state(), 'closed', 'too few calls')
    await fail(breaker, 1)
    t.equal(state(), 'open')
    t.same(breaker.ask(), { waitMs: 1000 })
    mock.timers.tick(400)
    t.same(breaker.ask(), { waitMs: 600 })
    mock.timers.tick(600)
    letIn(breaker).settle('success')
    await turns()
    t.same(changes, ['open', 'half-open', 'closed'])
    await fail(breaker, 1)
    t.equal(state(), 'closed', 'the failures of the outage are forgotten')
  },
)

t.test('fault 1: a call that fails or is late leaves the others in flight alone', async (t) => {
  const { breaker } = open(t)
  const others = [letIn(breaker), letIn(breaker)]
  letIn(breaker).settle('failure')
  await turns()
  mock.timers.tick(60_000)
  for (const other of others) other.settle('success')
  await turns()
  t.equal(breaker.state().state, 'closed', 'no signal is shared, and it sets no deadline for calls')
})

t.test('fault 2: a probe that hangs is given up, and the next one comes', async (t) => {
  const { breaker, state } = open(t)
  await fail(breaker)
  mock.timers.tick(1000)
  const hung = letIn(breaker)
  t.same(breaker.ask(), { waitMs: 1000 }, 'one probe at a time')
  mock.timers.tick(500)
  await turns()
  t.equal(state(), 'open')
  mock.timers.tick(2000)
  hung.settle('failure')
  letIn(breaker).settle('success')
  await turns()
  t.equal(state(), 'closed')
})

t.test('fault 3: a neutral answer to the probe neither closes nor opens', async (t) => {
  const { breaker, state } = open(t)
  await fail(breaker)
  mock.timers.tick(1000)
  letIn(breaker).settle('neutral')
  await turns()
  t.equal(state(), 'half-open')
  letIn(breaker).settle('failure')
  await turns()
  t.equal(state(), 'open', 'the next caller was the probe')
})

t.test('fault 4: refusals of its own are no failures', async (t) => {
  const { breaker, state } = open(t)
  await fail(breaker)
  for (let time = 0; time < 100; time += 1) breaker.ask()
  mock.timers.tick(1000)
  letIn(breaker)
  for (let time = 0; time < 100; time += 1) breaker.ask()
  await turns()
  t.equal(state(), 'half-open')
  t.equal(breaker.state().openings, 1)
})

t.test('fault 5: what was let through before it opened decides nothing afterwards', async (t) => {
  const { breaker, state } = open(t)
  const late = [letIn(breaker), letIn(breaker)]
  await fail(breaker)
  mock.timers.tick(1000)
  late[0]?.settle('success')
  await turns()
  t.equal(state(), 'half-open')
  late[1]?.settle('failure')
  await turns()
  t.equal(state(), 'half-open')
})

t.test('fault 6: calls in flight do not dilute the rate', async (t) => {
  const { breaker, state } = open(t)
  for (let call = 0; call < 50; call += 1) letIn(breaker)
  await fail(breaker)
  t.equal(state(), 'open')
})

t.test('fault 7: no percentiles are kept and no snapshots taken', async (t) => {
  const { breaker } = open(t)
  const fired = mock.method(CircuitBreaker.prototype, 'fire')
  t.teardown(() => fired.mock.restore())
  letIn(breaker).settle('success')
  letIn(breaker).settle('failure')
  await turns()
  const circuit = fired.mock.calls[0]?.this as unknown as CircuitBreaker & { options: CircuitBreaker.Options }
  t.match(circuit.options, { rollingPercentilesEnabled: false, enableSnapshots: false, timeout: false })
  t.match(circuit.stats, { fires: 2, successes: 1, failures: 1, latencyMean: -1 })
})

t.test('the open time doubles with each failed probe up to its bound, with jitter on top', async (t) => {
  const { breaker } = open(t, 0.5)
  await fail(breaker)
  const waits = []
  for (let time = 0; time < 5; time += 1) {
    const asked = breaker.ask()
    const waitMs = 'waitMs' in asked ? asked.waitMs : 0
    waits.push(waitMs)
    mock.timers.tick(waitMs)
    letIn(breaker).settle('failure')
    await turns()
  }
  t.same(waits, [1100, 2200, 4400, 8800, 8800])
})

t.test('forced open it refuses, forced closed it lets through, and let go it follows the traffic', async (t) => {
  const { breaker, state } = open(t)
  breaker.force('open')
  t.ok('waitMs' in breaker.ask())
  breaker.force('closed')
  for (let call = 0; call < 20; call += 1) letIn(breaker).settle('failure')
  await turns()
  t.equal(state(), 'closed')
  breaker.force(null)
  await fail(breaker)
  t.equal(state(), 'open')
})

t.test('models fail apart from each other, and however many there are, memory is bounded', async (t) => {
  const breakers = createBreakers({
    settings: () => ({ enabled: true, ...settings }),
    now: Date.now,
    random: () => 0,
    onChange() {},
  })
  t.teardown(() => breakers.close())
  const call = (model: string, verdict: 'failure' | 'success') => {
    const asked = breakers.ask('up', model)
    if ('settle' in asked) asked.settle(verdict, 'HTTP 503')
  }
  call('healthy', 'success')
  t.same(breakers.states(), [], 'a model that has never failed has none')
  for (let time = 0; time < 4; time += 1) call('a', 'failure')
  await turns()
  t.match(breakers.ask('up', 'a'), { waitMs: Number, reason: 'HTTP 503' })
  t.ok('settle' in breakers.ask('up', 'b'))
  for (let model = 0; model < 600; model += 1) call(`m${model}`, 'failure')
  t.equal(breakers.states().length, 500)
  t.ok('waitMs' in breakers.ask('up', 'a'), 'closed ones are forgotten first')
})

t.test(
  'whatever happens in whatever order, one probe is out at a time and nobody is locked out for good',
  async (t) => {
    const verdict = fc.constantFrom('success', 'failure', 'neutral', 'none' as const)
    const step = fc.record({ verdict, late: fc.boolean(), tickMs: fc.integer({ min: 0, max: 3_000 }) })
    const holds = fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] })
        const breaker = createBreaker({ settings, now: Date.now, random: () => 1, onChange() {} })
        try {
          const late: Pass[] = []
          for (const { verdict, late: isLate, tickMs } of steps) {
            const { state } = breaker.state()
            const asked = breaker.ask()
            if (state === 'open' && !('waitMs' in asked)) return false
            if (state === 'half-open' && 'settle' in asked && !('waitMs' in breaker.ask())) return false
            if ('settle' in asked && isLate) late.push(asked)
            else if ('settle' in asked && verdict !== 'none') asked.settle(verdict)
            if (late.length > 2) late.shift()?.settle(verdict === 'none' ? 'failure' : verdict)
            await turns()
            mock.timers.tick(tickMs)
            await turns()
          }
          // A probe that hangs, and then the longest wait there is.
          for (const waitMs of [settings.probeTimeout, settings.maxOpenFor * 1.2]) {
            mock.timers.tick(waitMs)
            await turns()
          }
          return 'settle' in breaker.ask()
        } finally {
          breaker.close()
          mock.timers.reset()
        }
      }),
      { numRuns: 200 },
    )
    await t.resolves(holds)
  },
)
