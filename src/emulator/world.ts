/** What all handlers share: settings, the clock, the models and the memories of one emulator. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createKeyCheck, type KeyCheck } from './credential.ts'
import { invalid } from './errors.ts'
import { createFaults, type Fault, type FaultScript } from './faults.ts'
import { asObject, type JsonObject } from './json.ts'
import { type Catalogue, createCatalogue } from './models.ts'
import type { EmulatorOptions, RecordedCall } from './options.ts'
import { createPrefixMemory, type PrefixMemory } from './prefix.ts'
import { createRandom, type Random, randomToken } from './random.ts'
import { createRecorder, type Recorder } from './record.ts'
import type { Reply } from './reply.ts'
import type { Route } from './route.ts'

export interface World {
  options: EmulatorOptions
  seed: number
  clock: () => number
  /** The emulator's own origin, known once it listens. */
  origin: string
  /** Origin inside bodies. */
  publicOrigin: string
  chunkTokens: number
  accepts: KeyCheck
  catalogue: Catalogue
  faults: FaultScript
  recorder: Recorder
  prefixes: PrefixMemory
  /** Names of files, batches and answers: unlike from call to call, alike from run to run. */
  random: Random
  responseId(): string
  /** RFC 3339 with microseconds, now or the given number of milliseconds later. */
  time(laterMs?: number): string
}

/** One request on its way through the emulator. */
export interface Call {
  record: RecordedCall
  route: Route
  request: IncomingMessage
  response: ServerResponse
  /** The accepted credential. */
  key: string
  body: Buffer
  faults: Fault[]
}

export type Handler = (call: Call) => Reply | Promise<Reply>

/** Builds the shared parts from the options. */
export function createWorld(options: EmulatorOptions): World {
  const seed = options.seed ?? 1
  const clock = options.clock ?? Date.now
  const random = createRandom(seed)
  return {
    options,
    seed,
    clock,
    origin: '',
    publicOrigin: options.publicOrigin ?? 'https://generativelanguage.googleapis.com',
    chunkTokens: options.chunkTokens ?? 24,
    accepts: createKeyCheck(options.keys),
    catalogue: createCatalogue(options.models ?? []),
    faults: createFaults(seed),
    recorder: createRecorder({
      keepBodies: options.keepBodies ?? true,
      keepCalls: options.keepCalls ?? 10_000,
      keepBytes: options.keepBytes ?? 64 * 2 ** 20,
      clock,
    }),
    prefixes: createPrefixMemory(),
    random,
    responseId: () => randomToken(random, 22),
    time: (laterMs = 0) => new Date(clock() + laterMs).toISOString().replace('Z', '000Z'),
  }
}

/** The body as a JSON object. Throws Google's 400 for anything else; an empty body is an empty message. */
export function parseBody(body: Buffer): JsonObject {
  const text = body.toString()
  if (text.trim() === '') return {}
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'Unexpected token.'
    throw invalid(`Invalid JSON payload received. ${reason}\n${text.slice(0, 40)}\n^`, [
      { description: `Invalid JSON payload received. ${reason}` },
    ])
  }
  const object = asObject(value)
  if (object) return object
  throw invalid('Invalid JSON payload received. Root element must be a message.', [
    { description: 'Invalid JSON payload received. Root element must be a message.' },
  ])
}
