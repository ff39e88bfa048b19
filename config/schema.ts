import { type Static, Type } from 'typebox'
import { defaults } from './defaults.ts'
import { admin } from './sections/admin.ts'
import { auth, type client, clients } from './sections/auth.ts'
import { breaker } from './sections/breaker.ts'
import { cache } from './sections/cache.ts'
import { fallback } from './sections/fallback.ts'
import { limits } from './sections/limits.ts'
import { budgets, mail, metering, schedule } from './sections/metering.ts'
import { log, metrics } from './sections/observe.ts'
import { retry } from './sections/retry.ts'
import { server } from './sections/server.ts'
import { dataDir, redis } from './sections/storage.ts'
import { throttle } from './sections/throttle.ts'
import { upstream } from './sections/upstream.ts'

/**
 * Everything that can be set, in the order of docs/configuration.md. This is the one source of types, defaults, limits
 * and descriptions: a new section is a file under sections/ and a line here.
 */
export const configSchema = Type.Object(
  {
    server,
    upstream,
    throttle,
    breaker,
    retry,
    fallback,
    auth,
    clients,
    limits,
    cache,
    metering,
    budgets,
    mail,
    schedule,
    admin,
    log,
    metrics,
    dataDir,
    redis,
  },
  { description: 'Settings of Castor, a gateway in front of the Gemini API.', additionalProperties: false },
)

/** The settings as the program uses them: complete, durations in milliseconds, sizes in bytes, '' where nothing is set. */
export type Config = Static<typeof configSchema>

/** One entry of `clients`. */
export type Client = Static<typeof client>

/** The settings when neither the file nor the environment says anything. */
export function defaultConfig(): Config {
  // The walk builds exactly the shape of the schema; test/config.test.ts checks it against the schema itself.
  return defaults(configSchema) as Config
}
