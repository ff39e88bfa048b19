/**
 * The way of a request through Castor, on one page.
 *
 * On the way in, the hooks of these plugins run in the order of this list. On the way back they do not run in reverse: Fastify is no onion. So a
 * plugin that wants to see the answer leaves a tap on `request.exchange` on its way in (src/exchange/exchange.ts); whoever answers
 * writes each chunk to the client first and then calls the taps, again in the order of this list.
 *
 * Each plugin names the one before it in its fastify-plugin `dependencies`: a list in the wrong order fails at boot.
 */
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import admin from './admin.ts'
import auth from './auth.ts'
import cache from './cache.ts'
import edge from './edge.ts'
import exchange from './exchange.ts'
import health from './health.ts'
import limits from './limits.ts'
import live from './live.ts'
import metering from './metering.ts'
import passthrough from './passthrough.ts'
import schedule from './schedule.ts'
import upstream from './upstream.ts'

/** Every request of a Gemini client passes these, in this order. */
export const pipeline: readonly FastifyPluginAsync[] = [
  // Who asks? Before anything is read, counted or looked up: what follows is done for a known caller only.
  auth,
  // What is asked? Begins the object that all later stages read and write, and takes the body as bytes.
  exchange,
  // What did it come to? Before everything that may refuse or answer, so that nothing escapes the count.
  metering,
  // May they ask more? Before anything is looked up or sent, and before the body is read.
  limits,
  // Answered from memory? After limits: who may not ask gets no hit either. Before everything that a hit makes needless.
  cache,
  // Ask Gemini: model calls, with the client's own bytes.
  upstream,
  // Everything else of Gemini's API, untouched, behind the same four.
  passthrough,
  // Live websockets, likewise.
  live,
]

/** Registers the whole gateway on an instance that `buildGateway` has prepared. */
export async function registerPlugins(
  app: FastifyInstance,
  stages: readonly FastifyPluginAsync[] = pipeline,
): Promise<void> {
  // Errors of every later part take their shape here.
  await app.register(edge)
  // The pipeline has a scope of its own: its hooks are for Gemini's paths, not for the gateway's own routes below.
  await app.register(async function gemini(scope) {
    for (const stage of stages) await scope.register(stage)
  })
  const surface = app.castor.settings.current.admin.listen === '' ? 'whole' : 'gemini'
  // Health and metrics answer without a key and beside the pipeline.
  await app.register(health, { surface })
  // What runs by the clock: no request passes it, but it uses what all of the above have opened, and closes before them.
  await app.register(schedule)
  // The operators' API and dashboard: last, since it shows what all of the above do; beside the pipeline, behind a guard of its own. With
  // `admin.listen` it only refuses here, so that its paths never go to Gemini.
  await app.register(admin, { surface })
}

/** Registers what operators need on a server of their own (`admin.listen`). */
export async function registerAdmin(app: FastifyInstance): Promise<void> {
  await app.register(edge)
  await app.register(health, { surface: 'admin' })
  await app.register(admin, { surface: 'admin' })
}
