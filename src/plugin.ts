import type { FastifyInstance } from 'fastify'
import { ConfigError, loadConfig } from '../config/load.ts'
import { registerPlugins } from '../plugins/index.ts'
import { addTrafficConstraint, createHouse } from './house.ts'

/** Settings as in gateway.yaml; what is left out has its default. `prefix` and `logLevel` are Fastify's own. */
export interface CastorOptions {
  prefix?: string
  [section: string]: unknown
}

/**
 * Castor inside any Fastify application: `app.register(castor, settings)`. Its routes and hooks stay in its own scope; the host keeps its
 * server, its logger and its other routes.
 * @throws ConfigError when the settings are wrong
 */
export default async function castor(app: FastifyInstance, options: CastorOptions = {}): Promise<void> {
  const { prefix: _prefix, logLevel: _logLevel, ...settings } = options
  const source = { file: 'castor options', text: JSON.stringify(settings), env: process.env }
  const config = loadConfig(source)
  if (config.admin.listen !== '') throw noListener()
  const house = createHouse(config, app.prefix, source)
  app.decorate('castor', house)
  addTrafficConstraint(app, house)
  await registerPlugins(app)
}

/** The host application has the server, so nothing here could listen. */
function noListener(): ConfigError {
  const message = 'has no effect inside another application, and the admin API would answer nowhere'
  const fix = 'remove it; the admin API then answers under admin.prefix'
  return new ConfigError([{ file: 'castor options', line: 0, column: 0, path: 'admin.listen', message, fix }])
}
