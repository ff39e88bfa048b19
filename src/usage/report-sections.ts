// A report as titled tables of words: what text and HTML both show.

import { type Graded, thresholds } from './grade.ts'
import type { Group } from './group.ts'
import type { Report } from './report-data.ts'
import type { Suggestion } from './suggest.ts'
import { change, count, duration, gradeWords, money, percent } from './words.ts'

export interface Section {
  title: string
  /** Empty for a list of pairs. */
  columns: string[]
  rows: string[][]
}

/** The sections in reading order; those without content are left out. */
export function sectionsOf(report: Report, suggestions: Suggestion[]): Section[] {
  return [
    headline(report),
    grades(report),
    { title: 'Suggestions', columns: [], rows: suggestions.map(suggestion) },
    cache(report),
    savings(report),
    tokens(report),
    latency(report),
    errors(report),
    reliability(report),
    waste(report),
    growth(report),
    groups('By model', report.by.model),
    groups('By client', report.by.tenant),
    groups('By tag', report.by.tag),
    groups('By interaction type', report.by.interaction),
    groups('By service tier', report.by.tier),
    series('By day', report.byDay),
    series(
      'By hour of the day',
      report.byHour.filter((hour) => hour.calls > 0),
    ),
    quality(report),
  ].filter((section) => section.rows.length > 0)
}

function headline(report: Report): Section {
  const { headline: head, calls } = report
  return pairs('Overview', [
    ['Cost', `${money(head.costUsd)} (${change(head.costChange)} against the period before)`],
    ['Net saved by Castor', money(head.netSavedUsd)],
    ['Calls', `${count(head.calls)} (${change(head.callsChange)})`],
    ['Succeeded', `${count(calls.succeeded)} (${percent(calls.successRate)})`],
    ['Refused by limits and budgets', count(calls.refused)],
    ['Left by the client', count(calls.clientAborts)],
    ['Cost by the end of the month', `${money(head.monthForecastUsd)} if it goes on like this`],
  ])
}

const gradedNames: Record<Graded, string> = {
  hitRate: 'Cache hit rate',
  errorRate: 'Error rate',
  responseMs: 'Response time (median)',
  costPerInteractionUsd: 'Cost per interaction',
}

function grades(report: Report): Section {
  const shown: Record<Graded, (value: number | null) => string> = {
    hitRate: percent,
    errorRate: percent,
    responseMs: duration,
    costPerInteractionUsd: (value) => (value === null ? 'n/a' : money(value)),
  }
  const rows = (Object.keys(gradedNames) as Graded[]).map((name) => {
    const { value, grade } = report.grades[name]
    return [gradedNames[name], shown[name](value), gradeWords[grade], thresholds[name].target]
  })
  return { title: 'Against the targets', columns: ['Figure', 'Value', 'Grade', 'Target'], rows }
}

function suggestion(item: Suggestion): string[] {
  const saving = item.savingUsdPerMonth === null ? '' : ` Expected: ${money(item.savingUsdPerMonth)} a month.`
  const setting = item.change === '' ? '' : ` Setting: ${item.change.trim().replace(/\s*\n\s*/g, ' / ')}`
  return [item.title, `${item.evidence}${saving}${setting}`]
}

function cache({ cache: it, tokens: { saved } }: Report): Section {
  const bypassed = it.bypassed.sampling + it.bypassed.excluded + it.bypassed.directive + it.bypassed.off
  if (it.lookups + bypassed === 0) return pairs('Cache', [])
  return pairs('Cache', [
    ['Hit rate', `${percent(it.hitRate)} of ${count(it.lookups)} lookups`],
    ['Answered from memory', `${percent(it.answeredShare)} of all interactions`],
    ['Exact hits', count(it.bySource.exact)],
    ['Semantic hits', count(it.bySource.semantic)],
    ['Joined a call in flight', count(it.bySource.coalesced + it.bySource.duplicate)],
    ['Stale answers in an outage', count(it.bySource.stale)],
    ['Expired shortly before', count(it.expired)],
    ['Passed by: variety asked for (temperature)', count(it.bypassed.sampling)],
    ['Passed by: never cached, by kind', count(it.bypassed.excluded)],
    ['Passed by: client asked so', count(it.bypassed.directive)],
    ['Tokens not sent', count(saved)],
  ])
}

function savings({ savings: it }: Report): Section {
  if (it.gross === 0 && it.overhead === 0 && it.providerCache === 0) return pairs('Savings', [])
  return pairs('Savings', [
    ['Exact hits', money(it.exact)],
    ['Semantic hits', money(it.semantic)],
    ['Calls in flight joined', money(it.coalesced)],
    ['Batch and flex tiers', money(it.tier)],
    ['Shorter conversations', money(it.trim)],
    ['Overhead (embeddings, checks, retries)', money(-it.overhead)],
    ['Net', money(it.net)],
    ["Google's own caching (not Castor's merit)", money(it.providerCache)],
  ])
}

function tokens({ tokens: it, cost }: Report): Section {
  if (it.total === 0) return pairs('Tokens', [])
  const row = (name: string, amount: number, usd: number): string[] => [name, count(amount), money(usd)]
  return {
    title: 'Tokens and what they cost',
    columns: ['Class', 'Tokens', 'Cost'],
    rows: [
      row('Prompt, fresh', it.prompt - it.cached, cost.input),
      row("Prompt, from Google's cache", it.cached, cost.cached),
      row('Tool use', it.toolUse, cost.toolUse),
      row('Answer', it.candidates, cost.output),
      row('Thinking', it.thoughts, cost.thoughts),
      ['Search grounding', '', money(cost.grounding)],
      row('Total', it.total, cost.total),
    ],
  }
}

function latency({ latency: whole, firstByte }: Report): Section {
  if (whole.p50Ms === null) return pairs('Response times', [])
  return {
    title: 'Response times',
    columns: ['', 'p50', 'p95', 'p99'],
    rows: [
      ['Whole answer', duration(whole.p50Ms), duration(whole.p95Ms), duration(whole.p99Ms)],
      ['First byte', duration(firstByte.p50Ms), duration(firstByte.p95Ms), duration(firstByte.p99Ms)],
    ],
  }
}

function errors(report: Report): Section {
  return {
    title: 'Errors',
    columns: ['Outcome', 'Reason', 'Model', 'Count'],
    rows: report.errors.map((it) => [it.outcome, it.error, it.model, count(it.count)]),
  }
}

function reliability({ reliability: it }: Report): Section {
  const rows: string[][] = [
    ['Answered by a fallback model', count(it.fallbacks)],
    ['Answered from a stale entry', count(it.stale)],
    ['Answered by a template or extraction', count(it.templates)],
    ['Rate limited by Google (429)', count(it.rateLimited)],
    ['Faults of Google or the network', count(it.upstreamErrors)],
  ]
  return pairs('Reliability', Object.values(it).some((value) => value > 0) ? rows : [])
}

function waste({ waste: it }: Report): Section {
  if (it.usd === 0 && it.retriesUsd === 0) return pairs('Paid for nothing', [])
  return pairs('Paid for nothing', [
    ['Total', `${money(it.usd)} (${percent(it.share)} of the cost)`],
    ...it.byOutcome.map((each) => [each.outcome, money(each.usd)]),
    ['Attempts before a retry or fallback', money(it.retriesUsd)],
  ])
}

function growth(report: Report): Section {
  return {
    title: 'Grew most',
    columns: ['What', 'Name', 'Cost', 'Change'],
    rows: report.growth.map((it) => [it.kind, it.name, money(it.costUsd), change(it.change)]),
  }
}

function groups(title: string, items: Group[]): Section {
  const telling = items.length > 1 || (items[0] !== undefined && items[0].name !== '(none)')
  const rows = items.map((it) => [
    it.name,
    count(it.calls),
    money(it.costUsd),
    change(it.change),
    money(it.savedUsd),
    percent(it.errorRate),
    duration(it.p95Ms),
  ])
  return {
    title,
    columns: ['Name', 'Calls', 'Cost', 'Change', 'Net saved', 'Errors', 'p95'],
    rows: telling ? rows : [],
  }
}

function series(title: string, points: Report['byDay']): Section {
  return {
    title,
    columns: ['', 'Calls', 'Failed', 'Cost', 'Net saved'],
    rows: points.map((it) => [
      it.label,
      count(it.calls),
      count(it.failedCalls),
      money(it.costUsd),
      money(it.netSavedUsd),
    ]),
  }
}

function quality({ quality: it }: Report): Section {
  return pairs('How sure these figures are', [
    ['Cost resting on estimates', percent(it.estimatedShare)],
    ['Attempts with estimated usage', count(it.estimatedAttempts)],
    ['Attempts with incomplete usage', count(it.partialAttempts)],
    ['Attempts without a price (not in the cost)', count(it.unpricedAttempts)],
    ['Attempts at the default price', count(it.defaultPricedAttempts)],
    ['Events lost', count(it.droppedEvents)],
  ])
}

function pairs(title: string, rows: string[][]): Section {
  return { title, columns: [], rows }
}
