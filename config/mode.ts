import type { Config } from './schema.ts'

/**
 * Whose key pays, with `auto` decided: issued when there are clients, otherwise shared when the gateway has an upstream
 * key, otherwise passthrough.
 */
export function resolveAuthMode({
  auth,
  clients,
}: Pick<Config, 'auth' | 'clients'>): Exclude<Config['auth']['mode'], 'auto'> {
  if (auth.mode !== 'auto') return auth.mode
  if (clients.length > 0) return 'issued'
  return auth.upstreamKey === '' ? 'passthrough' : 'shared'
}
