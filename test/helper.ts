/** Starts what tests need in front of and behind a gateway, and closes it with the test. */
import { mkdtempSync, rmSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { parse, stringify } from 'yaml'
import { loadConfig } from '../config/load.ts'
import { buildGateway } from '../src/app.ts'
import { type Emulator, type EmulatorOptions, startEmulator } from '../src/emulator/emulator.ts'
import { createLogger } from '../src/log.ts'
import { startUpstream, type Upstream } from './raw-http.ts'

export { callRaw, type RawRequest, type RawResponse } from './raw-http.ts'
export { chunk, headerOf, message } from './raw-message.ts'

/** What a helper needs of a tap test. */
export interface Closing {
  teardown(close: () => Promise<void>): void
}

export interface Gateway {
  /** base URL for clients, with server.basePath and without a trailing slash */
  url: string
  app: FastifyInstance
  /** requests that arrived at its door, in order: nothing that Gemini was asked may be missing here */
  arrivals: { method: string; url: string; headers: string[] }[]
  /** log lines so far, parsed */
  log: Record<string, unknown>[]
  /** its data directory, removed with the test */
  dataDir: string
  /** closes it before the test's end; open connections are destroyed */
  close(): Promise<void>
}

export interface GatewayOptions {
  /** environment for ${NAME} in the settings; default: empty */
  env?: Record<string, string | undefined>
  /** the emulator's options */
  emulator?: EmulatorOptions
}

/**
 * A gateway on a free port in front of an emulator of its own.
 * @param settings YAML text, laid over settings that suit a test
 */
export async function gateway(
  t: Closing,
  settings = '',
  options: GatewayOptions = {},
): Promise<Gateway & { emulator: Emulator }> {
  const emulator = await startEmulator(options.emulator)
  t.teardown(() => emulator.close())
  return { ...(await gatewayTo(t, emulator.url, settings, options.env)), emulator }
}

/** A gateway on a free port in front of the upstream at the given origin. */
export async function gatewayTo(
  t: Closing,
  upstreamUrl: string,
  settings = '',
  env: Record<string, string | undefined> = {},
): Promise<Gateway> {
  const dataDir = mkdtempSync(join(tmpdir(), 'castor-test-'))
  const text = stringify(
    merge(
      {
        server: { host: '127.0.0.1', port: 0, drain: '1s', propagation: '0s' },
        dataDir,
        upstream: { url: upstreamUrl },
        log: { level: 'debug' },
        // Most tests ask the same thing twice and mean it; those of the cache turn it on.
        cache: { mode: 'off' },
        // Likewise of what fails: those of retries and breaker turn them on.
        retry: { max: 0 },
        breaker: { enabled: false },
        throttle: { enabled: false },
      },
      parse(settings) ?? {},
    ),
  )
  const config = loadConfig({ file: 'test.yaml', text, env })
  const log: Record<string, unknown>[] = []
  const logger = createLogger(config.log.level, { write: (line) => void log.push(JSON.parse(line)) })
  const app = await buildGateway(config, { logger })
  const arrivals: Gateway['arrivals'] = []
  const arrived = ({ method = '', url = '', rawHeaders }: IncomingMessage): void => {
    arrivals.push({ method, url, headers: rawHeaders })
  }
  // First in line, before the base path is taken off.
  for (const event of ['request', 'checkContinue', 'upgrade'])
    if (app.server.listenerCount(event) > 0) app.server.prependListener(event, arrived)
  let closed: Promise<void> | null = null
  const close = (): Promise<void> => {
    closed ??= closeGateway(app, dataDir)
    return closed
  }
  t.teardown(close)
  await app.listen({ host: config.server.host, port: config.server.port })
  // Listening on TCP: never a path or null.
  const { port } = app.server.address() as AddressInfo
  const scheme = config.server.tls.cert === '' ? 'http' : 'https'
  return { url: `${scheme}://127.0.0.1:${port}${config.server.basePath}`, app, arrivals, log, dataDir, close }
}

async function closeGateway(app: FastifyInstance, dataDir: string): Promise<void> {
  app.castor.lifecycle.drain()
  for (const cut of app.castor.liveSessions) cut()
  const closed = app.close()
  // A test that has ended waits for nobody.
  app.server.closeAllConnections()
  await closed
  rmSync(dataDir, { recursive: true, force: true })
}

/** A byte-exact upstream (test/raw-http.ts) that is closed with the test. */
export async function upstream(t: Closing, handler: Parameters<typeof startUpstream>[0]): Promise<Upstream> {
  const peer = await startUpstream(handler)
  t.teardown(() => peer.close())
  return peer
}

/**
 * Waits until a condition holds, looking every few milliseconds.
 * @throws when it does not hold within `withinMs`
 */
export async function until(condition: () => boolean, withinMs = 5000, what = 'the condition'): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`${what} did not come to hold within ${withinMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

type Tree = Record<string, unknown>

function merge(base: Tree, over: Tree): Tree {
  const result = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const under = result[key]
    result[key] = isTree(under) && isTree(value) ? merge(under, value) : value
  }
  return result
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
