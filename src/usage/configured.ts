// What gateway.yaml says of prices, budgets, mail and the settings that suggestions look at, in the words of this folder.
import type { PriceRow } from '../../config/prices.ts'
import type { Config } from '../../config/schema.ts'
import type { BudgetRule } from './account.ts'
import type { MailOptions } from './mail.ts'
import { createPrices, type Prices } from './prices.ts'
import { nanoUsd } from './rates.ts'
import type { Settings } from './suggest.ts'

/** @param onUnpriced told once per model and day that no table has a price for */
export function pricesOf({ metering }: Pick<Config, 'metering'>, onUnpriced: (model: string) => void): Prices {
  return createPrices({
    overrides: metering.prices.map(rowOf),
    defaultUsdPerThousand: metering.defaultPrice === 0 ? null : metering.defaultPrice,
    onUnpriced,
  })
}

function rowOf(written: Config['metering']['prices'][number]): PriceRow {
  const given = (fields: Record<string, number>) =>
    Object.fromEntries(Object.entries(fields).filter(([, usd]) => usd > 0))
  return {
    model: written.model,
    ...(written.from === '' ? {} : { from: written.from }),
    ...(written.tier === '' ? {} : { tier: written.tier }),
    usdPerMillion: {
      input: written.input,
      ...given({
        cached: written.cached,
        output: written.output,
        inputAudio: written.inputAudio,
        outputAudio: written.outputAudio,
      }),
    },
    ...(written.above === 0
      ? {}
      : {
          above: written.above,
          usdPerMillionAbove: {
            input: written.inputAbove,
            ...given({ cached: written.cachedAbove, output: written.outputAbove }),
          },
        }),
    source: 'gateway.yaml',
  }
}

export function budgetRulesOf({ budgets }: Pick<Config, 'budgets'>): BudgetRule[] {
  return budgets.map((written) => ({
    name: written.name,
    ...(written.tenant === '' ? {} : { tenant: written.tenant }),
    ...(written.tag === '' ? {} : { tag: written.tag }),
    ...(written.requestsPerMinute === 0 ? {} : { requestsPerMinute: written.requestsPerMinute }),
    ...(written.tokensPerMinute === 0 ? {} : { tokensPerMinute: written.tokensPerMinute }),
    ...(written.usdPerDay === 0 ? {} : { nanoUsdPerDay: nanoUsd(written.usdPerDay) }),
    ...(written.usdPerMonth === 0 ? {} : { nanoUsdPerMonth: nanoUsd(written.usdPerMonth) }),
    softShare: written.soft,
    atLimit: written.atLimit,
    ...(written.degradeTo === '' ? {} : { degradeTo: written.degradeTo }),
  }))
}

/** null: no mail server is set. */
export function mailOptionsOf({ mail }: Pick<Config, 'mail'>): MailOptions | null {
  if (mail.host === '') return null
  const { host, port, secure, requireTls, user, password, from } = mail
  return { host, port, secure, requireTls, from, ...(user === '' ? {} : { user, password }) }
}

/** The settings in force, as far as a suggestion might ask for them. What a later part of the house has is off until it is there. */
export function suggestSettingsOf(config: Config): Settings {
  const { cache } = config
  return {
    cacheEnabled: cache.mode === 'on',
    cacheTtlMs: cache.ttl,
    cacheMaxEntries: cache.maxEntries,
    cacheScope: cache.scope,
    contextAware: cache.contextAware,
    semanticEnabled: isOn(config, 'cache', 'semantic'),
    semanticMode: textAt(config, 'cache', 'semantic', 'mode'),
    cacheSampled: cache.policy.some((rule) => rule.cache && rule.temperature !== 'zero'),
    contextEnabled: isOn(config, 'context'),
    fallbackEnabled: isOn(config, 'fallback'),
    retryEnabled: isOn(config, 'retry'),
    batchDelayMs: Number(valueAt(config, 'batch', 'delay') ?? 2_000),
    budgetsSet: config.budgets.length > 0,
    defaultPriceSet: config.metering.defaultPrice > 0,
  }
}

function isOn(config: Config, ...path: string[]): boolean {
  return valueAt(config, ...path, 'enabled') === true
}

function textAt(config: Config, ...path: string[]): string {
  const value = valueAt(config, ...path)
  return typeof value === 'string' ? value : ''
}

/** A setting of a section that this version may not have. */
function valueAt(config: Config, ...path: string[]): unknown {
  let at: unknown = config
  for (const name of path) at = (at as Record<string, unknown> | undefined)?.[name]
  return at
}
