import type { FastifyInstance } from 'fastify'
import { splitListen } from '../config/listen.ts'
import { ConfigError, type ConfigSource, loadConfig } from '../config/load.ts'
import { resolveAuthMode } from '../config/mode.ts'
import type { Config } from '../config/schema.ts'
import { buildAdmin, buildGateway } from './app.ts'
import { flushLog } from './log.ts'
import { stop } from './stop.ts'

/** A gateway that listens. */
export interface Running {
  /** where clients reach it, e.g. http://127.0.0.1:8080 */
  url: string
  /** where operators reach the dashboard and the admin API */
  adminUrl: string
  config: Config
  /** Drains and closes; resolves to false when open calls had to be cut. */
  stop(): Promise<boolean>
  /** Reads the settings again, as SIGHUP does. */
  reload(): void
}

/**
 * Starts the gateway.
 * @throws ConfigError when the settings are wrong; the listen error of node:net when the address is taken
 */
export async function startGateway(source: ConfigSource): Promise<Running> {
  const config = loadConfig(source)
  const app = await buildGateway(config, { source })
  let admin: FastifyInstance | null = null
  try {
    await app.listen({ host: config.server.host, port: config.server.port })
    if (config.admin.listen !== '') {
      admin = await buildAdmin(app)
      await admin.listen(splitListen(config.admin.listen))
    }
  } catch (error) {
    await admin?.close()
    await app.close()
    throw error
  }
  const url = urlOf(app.server.address(), config)
  const { settings } = app.castor
  return {
    url,
    adminUrl: `${admin === null ? url : urlOf(admin.server.address(), config)}${config.admin.prefix}/`,
    config,
    async stop() {
      const drained = await stop(app)
      await admin?.close()
      return drained
    },
    reload() {
      try {
        app.log.warn(settings.reload(), 'settings reloaded')
      } catch (error) {
        // A bad file must not take down a gateway that runs: the old settings stay in force.
        if (!(error instanceof ConfigError)) throw error
        app.log.error({ problems: error.problems }, 'settings not reloaded, the old ones stay in force')
      }
    },
  }
}

function urlOf(address: ReturnType<import('node:net').Server['address']>, { server }: Config): string {
  const scheme = server.tls.cert === '' ? 'http' : 'https'
  if (address === null || typeof address === 'string') return `${scheme}://${server.host}:${server.port}`
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `${scheme}://${host}:${address.port}${server.basePath}`
}

/**
 * Runs the gateway as a process: SIGHUP reloads, SIGTERM and SIGINT drain and exit 0, a second one exits 1 at once, and a fault that nobody
 * caught is logged and ends the process.
 */
export async function serve(source: ConfigSource, say: (text: string) => void): Promise<void> {
  const running = await startGateway(source)
  let stopping = false
  const onSignal = (): void => {
    if (stopping) {
      flushLog()
      process.exit(1)
    }
    stopping = true
    running.stop().then((drained) => {
      flushLog()
      process.exit(drained ? 0 : 1)
    }, fail)
  }
  const fail = (error: unknown): void => {
    flushLog()
    // The log may be what is broken: this one goes to standard error.
    process.stderr.write(`castor: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exit(70)
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  process.on('SIGHUP', running.reload)
  process.on('uncaughtException', fail)
  process.on('unhandledRejection', fail)
  say(welcome(running))
}

const keysInUse = {
  passthrough: "each client's own Gemini key",
  issued: 'keys issued by this gateway (clients: in gateway.yaml)',
  shared: "the gateway's own key (GEMINI_API_KEY) for everyone on this machine",
}

/** The first lines that a person sees. */
function welcome({ url, adminUrl, config }: Running): string {
  return [
    '',
    `Castor answers at ${url} for Gemini at ${config.upstream.url}, with ${keysInUse[resolveAuthMode(config)]}.`,
    `Point a Gemini client at that base URL and change nothing else. Health: ${url}/healthz  Docs: README.md, docs/`,
    `Dashboard: ${adminUrl}  Figures: ${new URL('/metrics', adminUrl)}`,
    'Try it:',
    `  curl ${url}/v1beta/models/gemini-2.5-flash:generateContent -H "x-goog-api-key: $GEMINI_API_KEY" \\`,
    `    -H 'content-type: application/json' -d '{"contents":[{"parts":[{"text":"Who was Castor?"}]}]}'`,
    'No key at hand? `npm run demo` shows everything against a built-in Gemini emulator.',
    '',
  ].join('\n')
}
