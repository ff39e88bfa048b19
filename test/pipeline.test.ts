import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyPluginAsync } from 'fastify'
import t from 'tap'
import { loadConfig } from '../config/load.ts'
import { pipeline } from '../plugins/index.ts'
import { buildGateway } from '../src/app.ts'
import { gateway, gatewayTo } from './helper.ts'
import { generate } from './nemesis.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'castor-pipeline-'))
t.teardown(() => rmSync(dataDir, { recursive: true }))

async function boot(stages: readonly FastifyPluginAsync[]): Promise<void> {
  const text = JSON.stringify({ dataDir, log: { level: 'silent' } })
  const app = await buildGateway(loadConfig({ text, env: {} }), { stages })
  await app.close()
}

/** What a plugin has told fastify-plugin about itself. */
const metaOf = (stage: FastifyPluginAsync) =>
  (stage as unknown as Record<symbol, { name: string; dependencies: string[] } | undefined>)[Symbol.for('plugin-meta')]
const nameOf = (stage: FastifyPluginAsync) => metaOf(stage)?.name ?? '?'
const dependencyOf = (stage: FastifyPluginAsync) => metaOf(stage)?.dependencies[0] ?? '?'

t.test('the pipeline boots as it stands', async () => boot(pipeline))

t.test('it stands in the order of DESIGN §2', async (t) => {
  const names = pipeline.map(nameOf)
  const order = ['auth', 'exchange', 'metering', 'limits', 'upstream'].map((name) => names.indexOf(`castor-${name}`))
  t.same(
    order,
    order.toSorted((a, b) => a - b),
  )
  t.notOk(order.includes(-1))
})

t.test('a stage before the one that it builds upon fails at boot, and the error names both', async (t) => {
  // The first depends on none of the others.
  for (const stage of pipeline.slice(1)) {
    const needed = dependencyOf(stage)
    const others = pipeline.filter((other) => other !== stage)
    const early = others.toSpliced(
      others.findIndex((other) => nameOf(other) === needed),
      0,
      stage,
    )
    await t.rejects(boot(early), { message: new RegExp(`${needed}.*${nameOf(stage)}`) }, nameOf(stage))
  }
})

t.test('a missing stage fails at boot', async (t) => {
  const needed = pipeline.filter((stage) => !['castor-passthrough', 'castor-live'].includes(nameOf(stage)))
  for (const stage of needed) await t.rejects(boot(pipeline.filter((other) => other !== stage)), nameOf(stage))
})

t.test('every route asks who is there, but those on this list', async (t) => {
  const { app, url } = await gatewayTo(t, 'http://127.0.0.1:9', 'admin: { token: 0123456789abcdef }')
  const open = [
    /^\/healthz$/,
    /^\/readyz$/,
    /^\/metrics$/,
    /^\/openapi\.json$/,
    /\/assets\//,
    /\/log(?:in|out)$/,
    /optimization\/?$/,
  ]
  const routes = readRoutes(app.printRoutes({ commonPrefix: false }))
  t.ok(routes.length > 8)
  const answers = new Map<string, number>()
  for (const { path, methods } of routes) {
    for (const method of methods) {
      const request = { method, ...(method === 'GET' || method === 'HEAD' ? {} : { body: '{}' }) }
      const response = await fetch(url + path.replace('*', 'x'), request)
      await response.arrayBuffer()
      answers.set(`${method} ${path}`, response.status)
    }
  }
  const unguarded = [...answers]
    .filter(
      ([route, status]) =>
        ![401, 403].includes(status) && !open.some((allowed) => allowed.test(route.split(' ')[1] ?? '')),
    )
    .map(([route]) => route)
  t.same(unguarded, [])
})

t.test('the stages see one another through the exchange alone', async (t) => {
  const { url, log } = await gateway(t)
  const response = await fetch(url + generate, {
    method: 'POST',
    headers: { 'x-goog-api-key': 'k', 'x-castor-tags': 'team=a', 'x-castor-interaction': 'question_generation' },
    body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'Who was Castor?' }] }] }),
  })
  await response.arrayBuffer()
  t.match(response.headers.get('server-timing'), /auth;dur=[\d.]+.*upstream;dur=[\d.]+.*castor;dur=[\d.]+$/)
  t.equal(response.headers.get('x-castor-model'), 'gemini-2.5-flash')
  t.match(
    log.find(({ msg }) => msg === 'request'),
    {
      id: response.headers.get('x-castor-request-id'),
      route: '/v1beta/models/:model:generateContent',
      key: /^key:[0-9a-f]{8}$/,
      model: 'gemini-2.5-flash',
      status: 200,
      outcome: 'complete',
      finish: 'STOP',
    },
  )
})

/** Paths and methods out of the tree that Fastify prints. */
function readRoutes(tree: string): { path: string; methods: string[] }[] {
  const parents: string[] = []
  return tree.split('\n').flatMap((line) => {
    const match = /^(?<indent>[│├└─ ]*)(?<segment>\S+) \((?<methods>[A-Z, ]+)\)/.exec(line)
    if (match?.groups === undefined) return []
    const { indent = '', segment = '', methods = '' } = match.groups
    const depth = indent.length / 4
    const path = `${depth <= 1 ? '' : (parents[depth - 1] ?? '')}${segment}`
    parents[depth] = path
    return [{ path: path.startsWith('/') ? path : `/${path}`, methods: methods.split(', ') }]
  })
}
