import type { Cast } from './cast.ts'
import type { Child } from './child.ts'

/** Castor in the states whose cost is told apart: settings over the shipped ones. */
export const castors: Readonly<Record<string, readonly string[]>> = {
  /** everything as it is shipped; every question is new, so that each answer is looked up, asked for and stored */
  castor: [],
  'castor, cache off': ['cache.mode=off'],
  /** the proxy and its pipeline alone: keys, limits, observer, log line and metrics, no store of any kind */
  'castor, cache and books off': ['cache.mode=off', 'metering.enabled=false'],
}

/** Starts proxies by their names in a table: one of `castors`, or a file of peers/. */
export async function startProxies(cast: Cast, names: readonly string[]): Promise<Map<string, Child>> {
  const proxies = new Map<string, Child>()
  for (const name of names) {
    const settings = castors[name]
    proxies.set(name, await (settings === undefined ? cast.proxy(name) : cast.proxy('castor', settings)))
  }
  return proxies
}
