import t from 'tap'
import { parseDocument } from 'yaml'
import { loadConfig } from '../config/load.ts'
import { changes } from '../src/usage/changes.ts'
import { createPrices } from '../src/usage/prices.ts'
import { readReport } from '../src/usage/report.ts'
import { reportText } from '../src/usage/report-text.ts'
import { rules } from '../src/usage/rules.ts'
import { type Settings, suggest } from '../src/usage/suggest.ts'
import { book, noon, openLedger, prices, type Traffic, usageOf, utc } from './usage-traffic.ts'

const settings: Settings = {
  cacheEnabled: true,
  cacheTtlMs: 3_600_000,
  cacheMaxEntries: 10_000,
  cacheScope: 'key',
  contextAware: true,
  semanticEnabled: true,
  semanticMode: 'certified',
  cacheSampled: false,
  contextEnabled: true,
  fallbackEnabled: true,
  retryEnabled: true,
  batchDelayMs: 2_000,
  budgetsSet: true,
  defaultPriceSet: false,
}

const usage = usageOf({ promptTokens: 3000, candidateTokens: 1000 })
const paid: Traffic = { attempts: [{ usage }], end: { cache: 'miss' } }
const hit: Traffic = { end: { source: 'exact' } }
const ended = (outcome: 'rate_limited' | 'upstream_error', error: string): Traffic => ({
  attempts: [{ outcome, status: outcome === 'rate_limited' ? 429 : 503, error }],
})

async function suggestionsOf(
  traffic: [number, Traffic][],
  changed: Partial<Settings> = {},
  options: { muted?: string[]; nowMs?: number; accepts?: (change: string) => boolean } = {},
) {
  const ledger = openLedger()
  for (const [times, one] of traffic) book(ledger, times, one)
  const read = await readReport({ days: 7 }, { ledger, calendar: utc, now: () => options.nowMs ?? noon })
  const found = suggest(read, {
    prices,
    settings: { ...settings, ...changed },
    ...options,
  })
  await ledger.close()
  return { report: read.report, found, names: found.map((item) => item.rule) }
}

interface Scenario {
  rule: string
  when: string
  must: [number, Traffic][]
  settings?: Partial<Settings>
  change?: RegExp
  /** The same rule must keep quiet here. */
  mustNot: [why: string, traffic: [number, Traffic][], settings?: Partial<Settings>][]
}

const repeat = (traffic: Traffic): Traffic => ({ ...traffic, end: { ...traffic.end, repeat: true } })
const withCache = (cache: 'off' | 'sampling' | 'expired' | 'miss'): Traffic => ({ ...paid, end: { cache } })
const night = Date.parse('2026-11-20T02:00:00Z')
const embedding: Traffic = {
  purpose: 'embedding',
  operation: 'embedContent',
  model: 'gemini-embedding-001',
  attempts: [{ usage: usageOf({ promptTokens: 100_000 }) }],
}
const long = usageOf({ promptTokens: 250_000, candidateTokens: 500 })
const chatty: Traffic = {
  attempts: [{ usage: usageOf({ promptTokens: 500, candidateTokens: 100, thoughtTokens: 2000 }) }],
}
const short: Traffic = {
  model: 'gemini-2.5-pro',
  attempts: [{ usage: usageOf({ promptTokens: 500, candidateTokens: 100 }) }],
}

const scenarios: Scenario[] = [
  {
    rule: 'cache-off',
    when: 'questions repeat and the cache is off',
    must: [
      [60, repeat(withCache('off'))],
      [60, withCache('off')],
    ],
    settings: { cacheEnabled: false },
    change: /mode: on/,
    mustNot: [
      ['nothing repeats', [[120, withCache('off')]], { cacheEnabled: false }],
      ['the cache is on', [[120, repeat(paid)]]],
    ],
  },
  {
    rule: 'low-hit-rate',
    when: 'misses were seen before',
    must: [
      [100, repeat(paid)],
      [50, hit],
      [50, paid],
    ],
    change: /maxEntries: 40000/,
    mustNot: [
      ['questions never repeat', [[200, paid]]],
      [
        'the rate is fine',
        [
          [30, repeat(paid)],
          [170, hit],
        ],
      ],
      ['there is too little traffic', [[20, repeat(paid)]]],
    ],
  },
  {
    rule: 'ttl-too-short',
    when: 'entries expire before they are asked for again',
    must: [
      [60, withCache('expired')],
      [100, hit],
    ],
    change: /ttl: 4h/,
    mustNot: [
      [
        'few expire',
        [
          [5, withCache('expired')],
          [195, hit],
        ],
      ],
    ],
  },
  {
    rule: 'temperature-blocks-cache',
    when: 'sampled calls repeat',
    must: [
      [60, repeat(withCache('sampling'))],
      [60, withCache('sampling')],
    ],
    change: /temperature: any/,
    mustNot: [
      ['sampled calls differ', [[120, withCache('sampling')]]],
      ['they are cached already', [[120, repeat(withCache('sampling'))]], { cacheSampled: true }],
    ],
  },
  {
    rule: 'high-volume',
    when: 'thousands of calls a day leave repeats upstream',
    must: [
      [5_000, hit],
      [1_000, paid],
      [1_000, repeat(paid)],
    ],
    change: /ttl: 2h[\s\S]*maxEntries: 20000/,
    mustNot: [
      [
        'there are few calls',
        [
          [70, hit],
          [30, repeat(paid)],
        ],
      ],
      [
        'the rate is excellent',
        [
          [6_500, hit],
          [500, repeat(paid)],
        ],
      ],
    ],
  },
  {
    rule: 'semantic-costs-more',
    when: 'embeddings cost more than semantic hits save',
    must: [
      [150, embedding],
      [20, { end: { source: 'semantic', savings: { semantic: 100_000 } } }],
    ],
    change: /semantic:\n {4}enabled: false/,
    mustNot: [
      [
        'they pay off',
        [
          [150, embedding],
          [20, { end: { source: 'semantic', savings: { semantic: 1e9 } } }],
        ],
      ],
      ['it is still learning', [[150, embedding]], { semanticMode: 'shadow' }],
    ],
  },
  {
    rule: 'high-error-rate',
    when: 'Gemini fails often and there is no fallback',
    must: [
      [20, ended('upstream_error', 'UNAVAILABLE')],
      [80, paid],
    ],
    settings: { fallbackEnabled: false },
    change: /fallback:\n {2}enabled: true/,
    mustNot: [
      [
        'errors are rare',
        [
          [2, ended('upstream_error', 'UNAVAILABLE')],
          [98, paid],
        ],
        { fallbackEnabled: false },
      ],
      [
        'they are rate limits',
        [
          [20, ended('rate_limited', 'RESOURCE_EXHAUSTED')],
          [80, paid],
        ],
      ],
    ],
  },
  {
    rule: 'rate-limited',
    when: 'Google answers 429',
    must: [
      [30, ended('rate_limited', 'RESOURCE_EXHAUSTED')],
      [300, paid],
    ],
    change: /delay: 4s/,
    mustNot: [
      [
        'it hardly does',
        [
          [5, ended('rate_limited', 'RESOURCE_EXHAUSTED')],
          [300, paid],
        ],
      ],
    ],
  },
  {
    rule: 'aborted-answers',
    when: 'clients leave answers that are paid for',
    must: [
      [
        50,
        {
          attempts: [
            {
              outcome: 'client_abort',
              usage: usageOf({ promptTokens: 100_000, candidateTokens: 100, source: 'partial' }),
            },
          ],
        },
      ],
      [50, paid],
    ],
    mustNot: [
      [
        'few do',
        [
          [5, { attempts: [{ outcome: 'client_abort', usage: { ...usage, source: 'partial' } }] }],
          [500, paid],
        ],
      ],
    ],
  },
  {
    rule: 'trimming-costs',
    when: 'trimming loses more caching than it cuts',
    must: [
      [
        10,
        {
          attempts: [{ usage: usageOf({ promptTokens: 300_000 }) }],
          end: { cache: 'miss', savings: { trim: -50_000_000 }, trimmedTokens: 100 },
        },
      ],
    ],
    change: /context:\n {2}enabled: false/,
    mustNot: [
      ['it saves', [[10, { ...paid, end: { cache: 'miss', savings: { trim: 50_000_000 }, trimmedTokens: 100 } }]]],
    ],
  },
  {
    rule: 'unstable-prefix',
    when: 'long prompts are never cached by Google',
    must: [[150, { attempts: [{ usage: usageOf({ promptTokens: 20_000, candidateTokens: 10 }) }] }]],
    mustNot: [
      [
        'they are',
        [
          [
            150,
            { attempts: [{ usage: usageOf({ promptTokens: 20_000, cachedTokens: 15_000, candidateTokens: 10 }) }] },
          ],
        ],
      ],
      ['they are short', [[1_500, { attempts: [{ usage: usageOf({ promptTokens: 1_000, candidateTokens: 10 }) }] }]]],
    ],
  },
  {
    rule: 'long-context',
    when: 'prompts cross the threshold',
    must: [[20, { model: 'gemini-2.5-pro', attempts: [{ usage: long }] }]],
    change: /maxTokens: 190000/,
    mustNot: [
      ['the model has no threshold', [[20, { model: 'gemini-2.5-flash', attempts: [{ usage: long }] }]]],
      [
        'they stay below',
        [[20, { model: 'gemini-2.5-pro', attempts: [{ usage: { ...long, promptTokens: 200_000 } }] }]],
      ],
    ],
  },
  {
    rule: 'thinking-share',
    when: 'short answers take long thoughts',
    must: [[150, chatty]],
    mustNot: [
      ['answers are long', [[150, { attempts: [{ usage: usageOf({ candidateTokens: 2000, thoughtTokens: 2000 }) }] }]]],
    ],
  },
  {
    rule: 'night-work',
    when: 'most money goes at night',
    must: [
      [200, { ...paid, atMs: night }],
      [50, paid],
    ],
    mustNot: [
      [
        'it goes by day',
        [
          [50, { ...paid, atMs: night }],
          [200, paid],
        ],
      ],
    ],
  },
  {
    rule: 'priority-tier',
    when: 'priority is paid for',
    must: [[150, { attempts: [{ usage, serviceTier: 'priority' }] }]],
    mustNot: [['it is not', [[150, paid]]]],
  },
  {
    rule: 'smaller-model',
    when: 'a big model answers short questions',
    must: [[300, short]],
    mustNot: [
      [
        'the questions are not short',
        [
          [
            300,
            { model: 'gemini-2.5-pro', attempts: [{ usage: usageOf({ promptTokens: 9_000, candidateTokens: 100 }) }] },
          ],
        ],
      ],
    ],
  },
  {
    rule: 'unpriced-model',
    when: 'a model has no price',
    must: [[3, { model: 'gemini-9-ultra', attempts: [{ usage }] }]],
    change: /model: "gemini-9-ultra"/,
    mustNot: [['all have', [[3, paid]]]],
  },
  {
    rule: 'price-change',
    when: 'a published price rises soon',
    must: [[3, { model: 'gemini-4-argon', attempts: [{ usage }] }]],
    mustNot: [['it stays', [[3, paid]]]],
  },
  {
    rule: 'no-budget',
    when: 'real money has no limit',
    must: [
      [
        2_000,
        { model: 'gemini-2.5-pro', attempts: [{ usage: usageOf({ promptTokens: 9_000, candidateTokens: 2_000 }) }] },
      ],
    ],
    settings: { budgetsSet: false },
    change: /usdPerMonth: \d+/,
    mustNot: [
      [
        'there is one',
        [
          [
            2_000,
            {
              model: 'gemini-2.5-pro',
              attempts: [{ usage: usageOf({ promptTokens: 9_000, candidateTokens: 2_000 }) }],
            },
          ],
        ],
      ],
      ['it is small change', [[10, paid]], { budgetsSet: false }],
    ],
  },
]

for (const scenario of scenarios) {
  t.test(`${scenario.rule}: suggested when ${scenario.when}`, async (t) => {
    const { found, report } = await suggestionsOf(scenario.must, scenario.settings)
    const item = found.find((each) => each.rule === scenario.rule)
    if (!item) throw new Error(`${scenario.rule} is missing among ${found.map((each) => each.rule).join(', ')}`)
    t.match(item.evidence, /\d/, 'the evidence has figures')
    t.ok(item.savingUsdPerMonth === null || item.savingUsdPerMonth >= 0.5)
    t.ok(
      (item.savingUsdPerMonth ?? 0) <= (report.headline.costUsd / (6.5 / 30)) * 1.01,
      'nothing saves more than is spent',
    )
    if (scenario.change) t.match(item.change, scenario.change)
    t.same(parseDocument(item.change).errors, [], 'the change is YAML')
    t.match(reportText(report, found), item.title)
  })
  for (const [why, traffic, changed] of scenario.mustNot) {
    t.test(`${scenario.rule}: not suggested when ${why}`, async (t) => {
      const { names } = await suggestionsOf(traffic, changed)
      t.notOk(names.includes(scenario.rule), names.join(', '))
    })
  }
}

t.test('every rule has its scenario', async (t) => {
  t.same(new Set(scenarios.map(({ rule }) => rule)), new Set(rules.map(({ name }) => name)))
  t.ok(rules.length >= 10)
})

t.test('without traffic there is nothing to suggest', async (t) => {
  t.same((await suggestionsOf([], { cacheEnabled: false, budgetsSet: false, fallbackEnabled: false })).found, [])
})

t.test('healthy traffic is left in peace', async (t) => {
  const { names } = await suggestionsOf([
    [170, hit],
    [30, paid],
  ])
  t.same(names, [])
})

t.test('one noisy client is paced, not everybody', async (t) => {
  const limited = ended('rate_limited', 'RESOURCE_EXHAUSTED')
  const { found } = await suggestionsOf([
    [50, { ...limited, tenant: 'noisy: "x"' }],
    [5, { ...limited, tenant: 'calm' }],
    [100, paid],
  ])
  const item = found.find(({ rule }) => rule === 'rate-limited')
  t.match(item?.title, /noisy/)
  const parsed = parseDocument(item?.change ?? '').toJS()
  t.equal(parsed.budgets[0].tenant, 'noisy: "x"', 'names cannot break out of the YAML')
})

t.test('advice that this version would refuse is not given', async (t) => {
  const traffic: [number, Traffic][] = [[20, { model: 'gemini-2.5-pro', attempts: [{ usage: long }] }]]
  t.ok((await suggestionsOf(traffic, {}, { accepts: () => true })).names.includes('long-context'))
  t.notOk(
    (await suggestionsOf(traffic, {}, { accepts: (change) => !change.startsWith('context:') })).names.includes(
      'long-context',
    ),
  )
})

t.test('changes of settings that exist are accepted by the schema', async (t) => {
  const known = [
    changes.cacheOn(),
    changes.cacheTtl('4h'),
    changes.cacheEntries(40_000),
    changes.cacheSampled(),
    changes.clientRate('noisy: "x"', 5),
    changes.monthlyBudget(100),
    changes.price('gemini-9-ultra'),
  ]
  for (const text of known) t.doesNotThrow(() => loadConfig({ text, env: {} }), text)
})

t.test('the dearest comes first, small change is left out, and ops may mute a rule', async (t) => {
  const traffic: [number, Traffic][] = [
    [100, repeat(withCache('sampling'))],
    [200, { model: 'gemini-2.5-pro', attempts: [{ usage: long }] }],
  ]
  const { found } = await suggestionsOf(traffic)
  const savings = found.map((item) => item.savingUsdPerMonth ?? 0)
  t.same(
    savings,
    [...savings].sort((a, b) => b - a),
  )
  const { names } = await suggestionsOf(traffic, {}, { muted: ['long-context'] })
  t.notOk(names.includes('long-context'))
  const cheap: Traffic = {
    attempts: [{ usage: usageOf({ promptTokens: 20 }) }],
    end: { cache: 'sampling', repeat: true },
  }
  t.notOk((await suggestionsOf([[150, cheap]])).names.includes('temperature-blocks-cache'))
  t.ok(createPrices().version)
})
