import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyPluginAsync, LogController } from 'fastify'
import type { ConfigSource } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { sendError } from '../plugins/edge.ts'
import { registerAdmin, registerPlugins } from '../plugins/index.ts'
import { nextRequestId } from './exchange/exchange.ts'
import { refuseBrokenRequest } from './gemini/broken-request.ts'
import { GatewayError } from './gemini/errors.ts'
import { addTrafficConstraint, createHouse, type House, withoutPrefix } from './house.ts'
import { createLogger } from './log.ts'
import { routeOddRequests, serverOptions } from './server.ts'

export interface GatewayOptions {
  /** default: pino on standard output at `log.level` */
  logger?: FastifyBaseLogger
  /** where a reload finds the settings again; without it there is none */
  source?: ConfigSource
  /** the stages of the pipeline; only a test of their order names its own */
  stages?: readonly FastifyPluginAsync[]
}

/**
 * Builds the gateway from its settings, ready to listen or to be injected into; opens nothing on the network.
 * Close it with `app.close()`.
 */
export async function buildGateway(config: Config, options: GatewayOptions = {}): Promise<FastifyInstance> {
  const house = createHouse(config, config.server.basePath, options.source)
  const app = createServer(config, house, options.logger ?? createLogger(config.log.level))
  house.settings.onChange(({ log }) => {
    app.log.level = log.level
  })
  addTrafficConstraint(app, house)
  await registerPlugins(app, options.stages)
  app.setNotFoundHandler((request, reply) => sendError(noSuchMethod(request.method), request, reply))
  routeOddRequests(app)
  await app.ready()
  return app
}

/**
 * Builds the operators' own server beside a gateway, for `admin.listen`: the same house and log, and none of Gemini's paths. Close it
 * after the gateway, whose drain an operator may want to watch.
 */
export async function buildAdmin(gateway: FastifyInstance): Promise<FastifyInstance> {
  const house = gateway.castor
  const app = createServer(house.settings.current, house, gateway.log)
  await registerAdmin(app)
  app.setNotFoundHandler((request, reply) => sendError(noSuchPath(), request, reply))
  await app.ready()
  return app
}

function createServer(config: Config, house: House, logger: FastifyBaseLogger): FastifyInstance {
  const { server, limits } = config
  const app = Fastify({
    loggerInstance: logger,
    // One line per request is written by the metering plugin, without the URL; a child logger per request would cost more than the line.
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: (logger) => logger,
    genReqId: nextRequestId,
    requestIdHeader: false,
    trustProxy: server.trustProxy,
    // The exchange plugin reads bodies and knows their limits.
    bodyLimit: Number.MAX_SAFE_INTEGER,
    keepAliveTimeout: server.keepAlive,
    requestTimeout: server.requestTimeout,
    connectionTimeout: 0,
    // During the drain open connections are answered in our own error shape, by the limits plugin.
    return503OnClosing: false,
    clientErrorHandler: refuseBrokenRequest,
    frameworkErrors: sendError,
    // SDKs lose a path prefix in some of their calls (upload, Live): both forms are served.
    rewriteUrl: (request) => withoutPrefix(request.url ?? '/', server.basePath),
    routerOptions: { maxParamLength: limits.urlLength, querystringParser: () => ({}) },
    ...serverOptions(config, house),
    // Fastify's types tell an http from an https instance; nothing here does.
  }) as unknown as FastifyInstance
  app.decorate('castor', house)
  return app
}

function noSuchPath(): GatewayError {
  return new GatewayError('CASTOR_NOT_FOUND', 'Only the admin API answers here.')
}

/** Gemini's paths take every method its API has; what is left is a method of another protocol. */
function noSuchMethod(method: string): GatewayError {
  return new GatewayError('CASTOR_METHOD_NOT_ALLOWED', `The Gemini API has no method ${method}.`)
}
