import fc from 'fast-check'
import t from 'tap'
import { createCalendar } from '../src/schedule/calendar.ts'
import type { BudgetRule } from '../src/usage/account.ts'
import { type Ask, type BudgetOptions, createBudgets } from '../src/usage/budget.ts'
import { restoreBudgets } from '../src/usage/restore.ts'
import { book, noon, openLedger, usageOf, utc } from './usage-traffic.ts'

const ask: Ask = { tenant: 'acme', tags: {}, estimatedTokens: 100, estimatedNanoUsd: 10 }

function open(rules: BudgetRule[], options: Partial<BudgetOptions> = {}) {
  const clock = { ms: noon }
  return { clock, budgets: createBudgets({ rules, calendar: utc, now: () => clock.ms, ...options }) }
}

t.test('requests per minute are a bucket that says when to come back', async (t) => {
  const { clock, budgets } = open([{ name: 'pace', requestsPerMinute: 60 }])
  for (let each = 0; each < 60; each += 1) t.ok(budgets.reserve(ask).allowed)
  const refused = budgets.reserve(ask)
  t.match(refused, { allowed: false, retryAfterMs: 1000, breach: { rule: 'pace', limit: 'requestsPerMinute' } })
  clock.ms += 1000
  t.ok(budgets.reserve(ask).allowed)
  t.notOk(budgets.reserve(ask).allowed)
})

t.test('tokens per minute are settled with what was really used', async (t) => {
  const { clock, budgets } = open([{ name: 'tokens', tokensPerMinute: 1000 }])
  const first = budgets.reserve({ ...ask, estimatedTokens: 900 })
  t.match(budgets.reserve({ ...ask, estimatedTokens: 200 }), { allowed: false })
  if (first.allowed) first.reservation.settle({ tokens: 100, nanoUsd: 0 })
  t.ok(budgets.reserve({ ...ask, estimatedTokens: 900 }).allowed)
  clock.ms += 60_000
  t.ok(
    budgets.reserve({ ...ask, estimatedTokens: 50_000 }).allowed,
    'a request larger than the bucket passes when it is full',
  )
  t.match(budgets.reserve({ ...ask, estimatedTokens: 1 }), { allowed: false })
})

t.test('money is refused at the limit until the window ends', async (t) => {
  const { clock, budgets } = open([{ name: 'day', nanoUsdPerDay: 100 }])
  const first = budgets.reserve(ask)
  if (first.allowed) first.reservation.settle({ tokens: 0, nanoUsd: 100 })
  t.match(budgets.reserve(ask), { allowed: false, retryAfterMs: 12 * 3_600_000, breach: { limit: 'perDay', share: 1 } })
  clock.ms += 12 * 3_600_000
  t.ok(budgets.reserve(ask).allowed, 'a new day')
})

t.test('a month ends with the month of the zone, clock changes included', async (t) => {
  const calendar = createCalendar('Europe/Berlin')
  const clock = { ms: Date.parse('2026-10-31T22:30:00Z') }
  const budgets = createBudgets({ rules: [{ name: 'm', nanoUsdPerMonth: 10 }], calendar, now: () => clock.ms })
  const first = budgets.reserve(ask)
  if (first.allowed) first.reservation.settle({ tokens: 0, nanoUsd: 10 })
  t.match(budgets.reserve(ask), { allowed: false, retryAfterMs: 1_800_000 })
  clock.ms += 1_800_000
  t.ok(budgets.reserve(ask).allowed)
})

t.test('two hundred calls at once overshoot by one reservation at most', async (t) => {
  const { budgets } = open([{ name: 'day', nanoUsdPerDay: 95 }])
  const verdicts = Array.from({ length: 200 }, () => budgets.reserve(ask))
  const allowed = verdicts.filter((verdict) => verdict.allowed)
  t.equal(allowed.length, 10)
  for (const verdict of allowed) verdict.reservation.settle({ tokens: 0, nanoUsd: 10 })
  t.equal(budgets.accounts()[0]?.windows[0]?.used(noon).spent, 100)
})

t.test('whatever the order of events, spending stays within limit and one reservation', async () => {
  const step = fc.record({
    kind: fc.constantFrom('reserve', 'settle', 'release', 'wait'),
    pick: fc.nat(50),
    size: fc.integer({ min: 1, max: 40 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { clock, budgets } = open([{ name: 'day', nanoUsdPerDay: 500 }])
      const openOnes: {
        reservation: { settle(a: { tokens: number; nanoUsd: number }): void; release(): void }
        size: number
      }[] = []
      for (const { kind, pick, size } of steps) {
        const [chosen] =
          kind === 'reserve' || kind === 'wait' ? [] : openOnes.splice(pick % Math.max(1, openOnes.length), 1)
        if (kind === 'wait') clock.ms += 1000
        if (kind === 'settle') chosen?.reservation.settle({ tokens: 0, nanoUsd: chosen.size })
        if (kind === 'release') chosen?.reservation.release()
        if (kind !== 'reserve') continue
        const verdict = budgets.reserve({ ...ask, estimatedNanoUsd: size })
        if (verdict.allowed) openOnes.push({ reservation: verdict.reservation, size })
      }
      const used = budgets.accounts()[0]?.windows[0]?.used(clock.ms)
      const held = openOnes.reduce((sum, one) => sum + one.size, 0)
      return used === undefined || (used.reserved === held && used.spent + used.reserved < 500 + 40)
    }),
  )
})

t.test('a reservation nobody settles is given back after its lease, and a late settlement still counts', async (t) => {
  const { clock, budgets } = open([{ name: 'day', nanoUsdPerDay: 10 }], { leaseMs: 60_000 })
  const lost = budgets.reserve(ask)
  t.notOk(budgets.reserve(ask).allowed)
  clock.ms += 60_001
  t.ok(budgets.reserve(ask).allowed)
  if (lost.allowed) {
    lost.reservation.settle({ tokens: 0, nanoUsd: 7 })
    lost.reservation.settle({ tokens: 0, nanoUsd: 7 })
  }
  t.match(budgets.accounts()[0]?.windows[0]?.used(clock.ms), { spent: 7, reserved: 10 })
})

t.test('a call that was answered from memory costs its reservation nothing', async (t) => {
  const { budgets } = open([{ name: 'day', nanoUsdPerDay: 10, tokensPerMinute: 100 }])
  for (let each = 0; each < 20; each += 1) {
    const verdict = budgets.reserve(ask)
    t.ok(verdict.allowed)
    if (verdict.allowed) verdict.reservation.release()
  }
})

t.test('a reservation over midnight does not weigh on the new day', async (t) => {
  const { clock, budgets } = open([{ name: 'day', nanoUsdPerDay: 100 }])
  const late = budgets.reserve({ ...ask, estimatedNanoUsd: 90 })
  clock.ms += 12 * 3_600_000
  const fresh = budgets.reserve({ ...ask, estimatedNanoUsd: 20 })
  if (late.allowed) late.reservation.settle({ tokens: 0, nanoUsd: 5 })
  t.match(budgets.accounts()[0]?.windows[0]?.used(clock.ms), { spent: 5, reserved: 20 })
  t.ok(fresh.allowed)
})

t.test('each client, each tag value and everybody have accounts of their own', async (t) => {
  const { budgets } = open([
    { name: 'each', tenant: '*', nanoUsdPerDay: 10 },
    { name: 'team', tag: 'team=*', nanoUsdPerDay: 15 },
    { name: 'only b', tenant: 'b', requestsPerMinute: 1 },
  ])
  t.ok(budgets.reserve({ ...ask, tenant: 'a', tags: { team: 'x' } }).allowed)
  t.match(budgets.reserve({ ...ask, tenant: 'a' }), { allowed: false, breach: { rule: 'each' } })
  t.ok(budgets.reserve({ ...ask, tenant: 'b', tags: { team: 'x' } }).allowed)
  t.match(budgets.reserve({ ...ask, tenant: 'b' }), { allowed: false })
  t.match(budgets.reserve({ ...ask, tenant: 'c', tags: { team: 'x' } }), { allowed: false, breach: { rule: 'team' } })
  t.ok(budgets.reserve({ ...ask, tenant: 'c', tags: { team: 'y' } }).allowed)
})

t.test('a refused call reserves nothing anywhere', async (t) => {
  const { budgets } = open([
    { name: 'wide', nanoUsdPerDay: 1000 },
    { name: 'narrow', requestsPerMinute: 1 },
  ])
  t.ok(budgets.reserve(ask).allowed)
  t.notOk(budgets.reserve(ask).allowed)
  const wide = budgets.accounts().find((account) => account.rule.name === 'wide')
  t.equal(wide?.windows[0]?.used(noon).reserved, 10)
})

t.test('the soft threshold warns and is told of once, the limit may degrade instead of refusing', async (t) => {
  const told: string[] = []
  const { budgets } = open(
    [{ name: 'day', nanoUsdPerDay: 100, softShare: 0.5, atLimit: 'degrade', degradeTo: 'gemini-2.5-flash-lite' }],
    { onCrossed: (breach, _, kind) => told.push(`${kind} ${breach.rule}`) },
  )
  const spend = () => {
    const verdict = budgets.reserve(ask)
    if (verdict.allowed) verdict.reservation.settle({ tokens: 0, nanoUsd: 30 })
    return verdict
  }
  t.match(spend(), { allowed: true, warnings: [] })
  t.match(spend(), { allowed: true, warnings: [] })
  t.match(spend(), { allowed: true, warnings: [{ rule: 'day', limit: 'perDay', share: 0.6 }] })
  t.match(spend(), { allowed: true, degradeTo: null })
  t.match(spend(), { allowed: true, degradeTo: 'gemini-2.5-flash-lite' })
  spend()
  t.same(told, ['soft day', 'hard day'])
})

t.test('after a restart the running day and month are known from the ledger', async (t) => {
  const ledger = openLedger()
  const usage = usageOf({ promptTokens: 1_000_000 })
  book(ledger, 1, { tenant: 'a', tags: 'team=x', attempts: [{ usage }] })
  book(ledger, 1, { tenant: 'a', attempts: [{ usage }], atMs: noon - 5 * 86_400_000 })
  book(ledger, 1, { tenant: 'b', attempts: [{ usage }], atMs: noon - 60 * 86_400_000 })
  const rules: BudgetRule[] = [
    { name: 'each', tenant: '*', nanoUsdPerDay: 1e9, nanoUsdPerMonth: 1e9 },
    { name: 'team', tag: 'team=x', nanoUsdPerDay: 1e9 },
  ]
  const { budgets } = open(rules)
  await restoreBudgets(budgets, rules, ledger, utc, noon)
  const spent = budgets
    .accounts()
    .map((account) => [account.rule.name, account.subject, ...account.windows.map((window) => window.used(noon).spent)])
  t.same(spent.sort(), [
    ['each', 'a', 300_000_000, 600_000_000],
    ['team', 'team=x', 300_000_000],
  ])
  await ledger.close()
})
