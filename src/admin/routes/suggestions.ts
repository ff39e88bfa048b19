import { Type } from 'typebox'
import { defineRoute } from '../route.ts'
import { days, defaultDays, readBooks } from './report.ts'

const suggestion = Type.Object({
  rule: Type.String({ description: 'stable name of the rule' }),
  title: Type.String(),
  evidence: Type.String({ description: 'the figures it rests on' }),
  savingUsdPerMonth: Type.Union([Type.Number(), Type.Null()], { description: 'null: the gain is not money' }),
  change: Type.String({ description: 'to write into gateway.yaml; empty where the change is not in Castor' }),
  caution: Type.String(),
})

export const showSuggestions = defineRoute({
  method: 'GET',
  path: '/suggestions/',
  scope: 'read',
  summary: 'What would cost less or fail less, with the evidence, the dollars per month and the setting to change',
  querySchema: Type.Object({ days }, { additionalProperties: false }),
  responseSchema: Type.Object({
    days: Type.Integer(),
    from: Type.String(),
    to: Type.String(),
    suggestions: Type.Array(suggestion),
  }),
  async handler({ query }, house) {
    const { report, suggestions } = await readBooks(house, query.days ?? defaultDays)
    const { days, from, to } = report
    return { days, from, to, suggestions }
  },
})
