import { chainRules } from './chains.ts'
import { splitListen } from './listen.ts'
import { isLoopback } from './loopback.ts'
import { resolveAuthMode } from './mode.ts'
import type { Config } from './schema.ts'

/** Settings that are right one by one but not together. `paths` are the settings concerned, the one to show first. */
export interface Conflict {
  paths: [string, ...string[]]
  message: string
  fix: string
}

const shortestPublicToken = 16
const gatewayPaths = [
  '/v1',
  '/v1beta',
  '/v1alpha',
  '/upload',
  '/download',
  '/ws',
  '/healthz',
  '/readyz',
  '/metrics',
  '/openapi.json',
]

/** Everything that is wrong between settings. Quotes no value. */
export function conflicts(config: Config): Conflict[] {
  return [
    ...clientRules(config),
    ...authRules(config),
    ...exposureRules(config),
    ...adminRules(config),
    ...pathRules(config),
    ...amountRules(config),
    ...chainRules(config),
  ]
}

function clientRules({ clients }: Config): Conflict[] {
  const found: Conflict[] = []
  const names = new Map<string, string>()
  const hashes = new Map<string, string>()
  clients.forEach(({ name, keyHash }, index) => {
    const path = `clients[${index}].name`
    const first = names.get(name)
    if (name !== '' && first !== undefined) {
      found.push({
        paths: [path, first],
        message: `is also the name of ${first.replace(/\.name$/, '')}`,
        fix: 'give each client its own name',
      })
    } else names.set(name, path)
    keyHash.forEach((hash, position) => {
      const path = `clients[${index}].keyHash[${position}]`
      const first = hashes.get(hash)
      if (hash !== '' && first !== undefined) {
        const message = `is the same key as ${first}, so nobody could tell which client is calling`
        found.push({ paths: [path, first], message, fix: 'make a key of its own with `castor keys create NAME`' })
      } else hashes.set(hash, path)
    })
  })
  return found
}

function authRules(config: Config): Conflict[] {
  const { auth, clients } = config
  const mode = resolveAuthMode(config)
  const found: Conflict[] = []
  if (mode === 'issued' && clients.length === 0) {
    const fix = 'add one with `castor keys create NAME`, or set auth.mode: passthrough'
    found.push({ paths: ['auth.mode', 'clients'], message: 'issued needs at least one client', fix })
  }
  if ((mode === 'passthrough' || mode === 'shared') && clients.length > 0) {
    const consequence =
      mode === 'passthrough' ? 'their keys would be sent on to Gemini' : 'anyone could call without a key'
    const fix = 'set auth.mode: issued (or auto), or remove the clients'
    found.push({ paths: ['auth.mode', 'clients'], message: `${mode} ignores the clients: ${consequence}`, fix })
  }
  if (mode === 'shared' && auth.upstreamKey === '') {
    const fix = 'set auth.upstreamKey (or the environment variable GEMINI_API_KEY)'
    found.push({ paths: ['auth.mode', 'auth.upstreamKey'], message: 'shared needs an upstream key', fix })
  }
  if (mode === 'issued') {
    clients.forEach(({ upstreamKey }, index) => {
      if (upstreamKey !== '' || auth.upstreamKey !== '') return
      const fix = 'set auth.upstreamKey (or the environment variable GEMINI_API_KEY), or upstreamKey of this client'
      const paths: Conflict['paths'] = [`clients[${index}].upstreamKey`, 'auth.upstreamKey', `clients[${index}].name`]
      found.push({
        paths,
        message: 'is empty, and there is no auth.upstreamKey either: this client has no Gemini key to call with',
        fix,
      })
    })
  }
  return found
}

function exposureRules(config: Config): Conflict[] {
  const { server, auth } = config
  if (isLoopback(server.host) || resolveAuthMode(config) !== 'shared') return []
  const why = auth.mode === 'shared' ? 'auth.mode is shared' : 'there is an upstream key but no client'
  return [
    {
      paths: ['server.host', 'auth.mode', 'auth.upstreamKey', 'clients'],
      message: `is open to other machines while ${why}: anyone who reaches it would spend on your key`,
      fix: 'issue keys with `castor keys create NAME`, or set auth.mode: passthrough, or listen on 127.0.0.1',
    },
  ]
}

function adminRules({ server, admin }: Config): Conflict[] {
  const found: Conflict[] = []
  const own = admin.listen === '' ? null : splitListen(admin.listen)
  const where = own === null ? 'server.host' : 'admin.listen'
  if (own !== null && own.port > 65_535) {
    found.push({ paths: ['admin.listen'], message: 'names a port above 65535', fix: 'write one from 0 to 65535' })
  }
  if (own !== null && own.port !== 0 && own.port === server.port && sameHost(own.host, server.host)) {
    const message = 'is the address that the Gemini API listens on (server.host, server.port)'
    found.push({
      paths: ['admin.listen', 'server.port', 'server.host'],
      message,
      fix: 'choose another port, or leave it empty',
    })
  }
  if (admin.readToken !== '' && admin.readToken === admin.token) {
    const message = 'is the same as admin.token, so whoever may look could change things too'
    found.push({ paths: ['admin.readToken', 'admin.token'], message, fix: 'make two different tokens' })
  }
  if (isLoopback(own?.host ?? server.host)) return found
  const fix = 'set admin.token (or CASTOR_ADMIN_TOKEN) to a long random text, or listen on 127.0.0.1'
  if (admin.token === '') {
    const message = 'is open to other machines while the admin API has no token'
    found.push({ paths: [where, 'admin.token'], message, fix })
  }
  for (const name of ['token', 'readToken'] as const) {
    if (admin[name] === '' || admin[name].length >= shortestPublicToken) continue
    const message = `is shorter than ${shortestPublicToken} characters while the ${own === null ? 'gateway' : 'admin API'} is open to other machines`
    found.push({ paths: [`admin.${name}`, where], message, fix })
  }
  return found
}

/** Whether two hosts to listen on would meet on one port: a wildcard meets every address. */
function sameHost(one: string, other: string): boolean {
  return one === other || [one, other].some((host) => host === '0.0.0.0' || host === '::')
}

function pathRules({ server, admin }: Config): Conflict[] {
  const found: Conflict[] = []
  const { cert, key } = server.tls
  if (cert !== '' && key === '') {
    found.push({
      paths: ['server.tls.cert', 'server.tls.key'],
      message: 'has no key beside it',
      fix: 'set server.tls.key too',
    })
  }
  if (key !== '' && cert === '') {
    found.push({
      paths: ['server.tls.key', 'server.tls.cert'],
      message: 'has no certificate beside it',
      fix: 'set server.tls.cert too',
    })
  }
  const taken = gatewayPaths.find((path) => admin.prefix === path || admin.prefix.startsWith(`${path}/`))
  if (taken !== undefined) {
    found.push({
      paths: ['admin.prefix'],
      message: `lies in ${taken}, which belongs to the Gemini API or the gateway`,
      fix: 'choose another path, such as /castor',
    })
  }
  return found
}

function amountRules({ server, limits }: Config): Conflict[] {
  const found: Conflict[] = []
  if (limits.body > limits.bufferedBytes) {
    const message = 'is more than limits.bufferedBytes, so a body of that size would never be let in'
    found.push({
      paths: ['limits.body', 'limits.bufferedBytes'],
      message,
      fix: 'lower it, or raise limits.bufferedBytes',
    })
  }
  // node:http refuses to start otherwise (ERR_OUT_OF_RANGE).
  if (server.headersTimeout > server.requestTimeout) {
    const message = 'is longer than server.requestTimeout, of which it is a part'
    found.push({
      paths: ['server.headersTimeout', 'server.requestTimeout'],
      message,
      fix: 'lower it, or raise server.requestTimeout',
    })
  }
  return found
}
