// The changes of gateway.yaml that suggestions name, in one place, so that a renamed setting is renamed here once.

const quoted = (text: string): string => JSON.stringify(text)

/** Each returns a fragment of gateway.yaml, ready to be merged into the file. */
export const changes = {
  cacheOn: () => 'cache:\n  mode: on\n',
  cacheTtl: (ttl: string) => `cache:\n  ttl: ${ttl}\n`,
  cacheEntries: (entries: number) => `cache:\n  maxEntries: ${entries}\n`,
  cacheSampled: () => 'cache:\n  policy:\n    - temperature: any\n      cache: true\n',
  semanticOn: () => 'cache:\n  semantic:\n    enabled: true\n    mode: certified\n',
  semanticOff: () => 'cache:\n  semantic:\n    enabled: false\n',
  contextLimit: (tokens: number) => `context:\n  enabled: true\n  maxTokens: ${tokens}\n`,
  contextOff: () => 'context:\n  enabled: false\n',
  fallbackOn: () => 'fallback:\n  enabled: true\n  timeout: 5s\n',
  fallbackTo: (model: string, to: string) =>
    `fallback:\n  enabled: true\n  chains:\n    - model: ${quoted(model)}\n      steps:\n        - model: ${quoted(to)}\n`,
  batchDelay: (delay: string) => `batch:\n  delay: ${delay}\n`,
  clientRate: (tenant: string, requestsPerMinute: number) =>
    `budgets:\n  - name: ${quoted(
      `pace of ${tenant
        .replace(/[^\w. -]+/g, ' ')
        .trim()
        .slice(0, 48)}`,
    )}\n    tenant: ${quoted(tenant)}\n    requestsPerMinute: ${requestsPerMinute}\n`,
  monthlyBudget: (usd: number) => `budgets:\n  - name: everybody\n    usdPerMonth: ${usd}\n    soft: 0.8\n`,
  price: (model: string) =>
    `metering:\n  prices:\n    - model: ${quoted(model)}\n      input: 0 # USD per million prompt tokens, as published\n      output: 0 # USD per million output tokens, as published\n`,
} as const

/** A duration as gateway.yaml takes it. */
export function yamlDuration(ms: number): string {
  if (ms % 86_400_000 === 0) return `${ms / 86_400_000}d`
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000}h`
  return ms % 60_000 === 0 ? `${ms / 60_000}m` : `${Math.round(ms / 1000)}s`
}
