import { Type } from 'typebox'
import type { House } from '../../house.ts'
import { type Graded, thresholds } from '../../usage/grade.ts'
import type { Report } from '../../usage/report-data.ts'
import { defineRoute } from '../route.ts'
import { budgetStates } from '../usage.ts'
import { booksOf, days, defaultDays, readBooks } from './report.ts'

const grade = Type.Object({
  value: Type.Union([Type.Number(), Type.Null()], { description: 'null: nothing to tell yet' }),
  grade: Type.Enum(['excellent', 'good', 'poor', 'none']),
  target: Type.String(),
})
const figures = (description: string) => Type.Record(Type.String(), Type.Unknown(), { description })

export const showStatus = defineRoute({
  method: 'GET',
  path: '/status/',
  scope: 'read',
  summary: 'Everything at a glance: cost, savings, calls, cache, response times, each against its target',
  querySchema: Type.Object({ days }, { additionalProperties: false }),
  responseSchema: Type.Object({
    status: Type.Enum(['ok', 'draining']),
    period: Type.Object({ from: Type.String(), to: Type.String(), days: Type.Integer(), zone: Type.String() }),
    grades: Type.Object({
      hitRate: grade,
      errorRate: grade,
      responseMs: grade,
      costPerInteractionUsd: grade,
    }),
    headline: figures('cost, savings and calls, with the change against the period before'),
    calls: figures('succeeded, failed, refused, left by the client'),
    latency: figures('of interactions, ms'),
    cache: figures('hits by kind, lookups, bypasses'),
    savings: figures('USD by what saved them, net of what Castor itself spent'),
    tokens: figures('by class'),
    reliability: figures('answers from elsewhere than the model asked for'),
    budgets: Type.Array(Type.Record(Type.String(), Type.Unknown()), { description: 'the most used first' }),
    suggestions: Type.Integer({ description: 'how many there are; GET /suggestions/ shows them' }),
    quality: figures('how much rests on estimates'),
  }),
  handler: async ({ query }, house) => status(query.days ?? defaultDays, house),
})

const shownBudgets = 20

/** What `/status/` answers. */
async function status(days: number, house: House) {
  const { report, suggestions } = await readBooks(house, days)
  const { headline, calls, latency, firstByte, cache, savings, tokens, reliability, quality, from, to, zone } = report
  return {
    status: house.lifecycle.draining ? 'draining' : 'ok',
    period: { from, to, days: report.days, zone },
    grades: gradesOf(report),
    headline,
    calls,
    latency: { ...latency, firstByte },
    cache,
    savings,
    tokens,
    reliability,
    budgets: budgetStates(booksOf(house).gate.budgets.accounts(), house.desk.now()).slice(0, shownBudgets),
    suggestions: suggestions.length,
    quality,
  }
}

function gradesOf({ grades }: Report) {
  const shown = (name: Graded) => ({ ...grades[name], target: thresholds[name].target })
  return {
    hitRate: shown('hitRate'),
    errorRate: shown('errorRate'),
    responseMs: shown('responseMs'),
    costPerInteractionUsd: shown('costPerInteractionUsd'),
  }
}
