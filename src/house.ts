import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { ConfigSource } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { type Desk, openDesk } from './admin/desk.ts'
import { loadSecret } from './auth/secret.ts'
import type { Cache } from './cache/open.ts'
import { readTarget, type Target, type Traffic } from './gemini/target.ts'
import { createLifecycle, type Lifecycle } from './lifecycle.ts'
import { createMetrics, type Load, type Metrics } from './metrics/registry.ts'
import type { Scheduler } from './schedule/scheduler.ts'
import { createSettings, type Settings } from './settings.ts'
import type { Guard } from './upstream/guard.ts'
import type { Books } from './usage/books.ts'

/** What every plugin may use of the house itself; `app.castor`. */
export interface House {
  settings: Settings
  lifecycle: Lifecycle
  /** what tenant identities and upload proofs are derived from */
  secret: string
  load: Load
  metrics: Metrics
  /** what the admin API shows */
  desk: Desk
  /** the exact cache, once its plugin has opened it */
  cacheHolder: { current: Cache | null }
  /** the books, once the metering plugin has opened them; null when metering is off */
  books: Books | null
  /** breakers and quotas, once the upstream plugin has opened them */
  guard: Guard | null
  /** what runs by the clock, once its plugin has opened it */
  scheduler: Scheduler | null
  /** open Live websockets: each entry cuts one */
  liveSessions: Set<() => void>
  /** path under which a client finds Gemini's paths, '' for the root */
  mount: string
  /** Reads a request line, with or without the mount's prefix; see gemini/target.ts. */
  readTarget(method: string, url: string): Target
}

declare module 'fastify' {
  interface FastifyInstance {
    castor: House
  }
}

/**
 * Which of the gateway's routes a listener has: all of them, or with `admin.listen` either Gemini's or the operators'. Health is on each.
 */
export type Surface = 'whole' | 'gemini' | 'admin'

/**
 * @param mount `server.basePath`, or the prefix under which a host application has put the gateway
 * @param source where the settings can be read again; null when they were handed over as an object
 */
export function createHouse(config: Config, mount: string, source: ConfigSource | null = null): House {
  const load: Load = { inFlight: 0, heldBodyBytes: 0 }
  const liveSessions = new Set<() => void>()
  return {
    settings: createSettings(config, source),
    lifecycle: createLifecycle(),
    secret: loadSecret(config.auth.secret, config.dataDir),
    load,
    liveSessions,
    cacheHolder: { current: null },
    books: null,
    guard: null,
    scheduler: null,
    metrics: createMetrics(load, liveSessions),
    desk: openDesk(),
    mount,
    readTarget: (method, url) => readTarget(method, withoutPrefix(url, mount)),
  }
}

/** Takes a path prefix off a request target; one that does not have it stays as it is. */
export function withoutPrefix(url: string, prefix: string): string {
  if (prefix === '' || !url.startsWith(prefix)) return url
  const rest = url.slice(prefix.length)
  if (rest === '') return '/'
  return rest.startsWith('/') || rest.startsWith('?') ? rest : url
}

/**
 * The traffic of a request as the router sees it. An upgrade to anything but a websocket, and a plain request to a Live path, are ordinary
 * requests that Gemini may judge.
 */
export function trafficOf(
  house: Pick<House, 'readTarget'>,
  { method = 'GET', url = '/', headers }: Pick<IncomingMessage, 'method' | 'url' | 'headers'>,
): Traffic {
  try {
    const { traffic } = house.readTarget(method, url)
    if (traffic !== 'live') return traffic
    return headers.upgrade?.toLowerCase() === 'websocket' ? 'live' : 'other'
  } catch {
    // Bad percent-encoding: the auth stage reads the same line and refuses it properly.
    return 'other'
  }
}

/** Lets the router tell model calls, Live websockets and the rest apart, which no path pattern can (`…/models/{model}:{verb}`). */
export function addTrafficConstraint(app: FastifyInstance, house: Pick<House, 'readTarget'>): void {
  app.addConstraintStrategy({
    name: 'traffic',
    storage() {
      // The router's types know one handler type only; it stores and returns whatever it is given.
      const handlers = new Map<string, never>()
      return {
        get: (traffic: string) => handlers.get(traffic) ?? null,
        set: (traffic: string, handler: unknown) => void handlers.set(traffic, handler as never),
      }
    },
    // The router hands over Node's request; its types say no more than that there is one.
    deriveConstraint: (request) => trafficOf(house, request as unknown as IncomingMessage),
    mustMatchWhenDerived: false,
  })
}
