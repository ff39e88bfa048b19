/** The Interactions API: create (whole or SSE), get, cancel, delete. Stateful unless `store` is false. */
import type { Answer } from './answer.ts'
import type { Asker } from './ask.ts'
import { type ErrorSpec, invalid, notFound } from './errors.ts'
import { contentsOf, fromInteraction } from './interaction-input.ts'
import { type InteractionHead, interactionEvents, interactionOf, stepsOf } from './interaction-output.ts'
import { asString, type JsonObject } from './json.ts'
import type { CallUsage } from './options.ts'
import { randomToken } from './random.ts'
import { googleHeaders, type Reply } from './reply.ts'
import type { Route } from './route.ts'
import { countsOf } from './usage.ts'
import { type Call, type Handler, parseBody, type World } from './world.ts'

interface Stored {
  owner: string
  head: InteractionHead
  answer: Answer
  /** What a follow-up by previous_interaction_id starts from. */
  history: JsonObject[]
  /** Background work is done at the second look. */
  polls: number
}

/** Interactions remembered; more forget the oldest. */
const most = 2000

/** No interactions yet. */
export function createInteractions(world: World, asker: Asker) {
  const stored = new Map<string, Stored>()

  const create: Handler = (call) => {
    const body = parseBody(call.body)
    const name = asString(body.model) ?? asString(body.agent)
    if (!name) throw invalid('One of model or agent is required.')
    const model = world.catalogue.require(name.replace(/^models\//, ''), 'generateContent', call.route.version)
    const previous = asString(body.previous_interaction_id)
    const before = previous ? mine(previous, call.key).history : []
    const contents = [...before, ...contentsOf(body.input)]
    const answer = asker.ask(call, model, fromInteraction(body, contents), '')
    const now = new Date(world.clock()).toISOString().replace(/\.\d+Z$/, 'Z')
    const head: InteractionHead = {
      id: `v1_${randomToken(world.random, 58)}`,
      model: model.id,
      created: now,
      status: body.background === true ? 'in_progress' : finished(answer),
      tier: asString(body.service_tier) ?? 'standard',
      usageMissing: call.faults.some((fault) => fault.kind === 'usage'),
    }
    const entry: Stored = { owner: call.key, head, answer, history: [...contents, ...said(answer)], polls: 0 }
    if (body.store !== false) keep(entry)
    return body.stream === true ? streamed(entry) : whole(entry)
  }

  const keep = (entry: Stored): void => {
    const oldest = stored.size >= most ? stored.keys().next().value : undefined
    if (oldest !== undefined) stored.delete(oldest)
    stored.set(entry.head.id, entry)
  }

  const mine = (id: string, owner: string): Stored => {
    const entry = stored.get(id)
    if (entry?.owner === owner) return entry
    throw notFound(`Interaction not found: ${id}`)
  }

  const get: Handler = (call) => {
    const entry = mine(idOf(call), call.key)
    if (entry.head.status === 'in_progress' && ++entry.polls >= 2) entry.head.status = finished(entry.answer)
    return call.route.query.get('stream') === 'true' ? streamed(entry) : whole(entry)
  }

  const cancel: Handler = (call) => {
    const entry = mine(idOf(call), call.key)
    if (entry.head.status === 'in_progress') entry.head.status = 'cancelled'
    return whole(entry)
  }

  const remove: Handler = (call) => {
    stored.delete(mine(idOf(call), call.key).head.id)
    return compact({})
  }

  const streamed = (entry: Stored): Reply => ({
    status: 200,
    headers: googleHeaders('text/event-stream'),
    frames: interactionEvents(entry.head, entry.answer, world.chunkTokens),
    end: '',
    tail: errorEvent,
    paced: true,
  })

  return {
    find(method: string, route: Route): Handler | undefined {
      if (route.name === 'interactions') return method === 'POST' ? create : undefined
      if (method === 'POST' && (route.name.endsWith('/cancel') || route.verb === 'cancel')) return cancel
      if (method === 'GET') return get
      return method === 'DELETE' ? remove : undefined
    },
    reset: () => stored.clear(),
  }
}

function idOf(call: Call): string {
  return call.route.name.split('/')[1] ?? ''
}

function finished(answer: Answer): string {
  const candidate = answer.candidates[0]
  if (!candidate) return 'failed'
  if (candidate.calls.length > 0) return 'requires_action'
  return candidate.finishReason === 'STOP' ? 'completed' : 'incomplete'
}

/** The model's turn, for the history. */
function said(answer: Answer): JsonObject[] {
  const candidate = answer.candidates[0]
  if (!candidate) return []
  const calls = candidate.calls.map((call, index): JsonObject => {
    const part: JsonObject = { functionCall: { id: call.id, name: call.name, args: call.args } }
    if (index === 0 && candidate.signature) part.thoughtSignature = candidate.signature
    return part
  })
  return [{ role: 'model', parts: calls.length > 0 ? calls : [{ text: candidate.text }] }]
}

function whole(entry: Stored): Reply {
  const { head, answer } = entry
  const body = interactionOf(head, answer)
  const open = head.status === 'in_progress' || head.status === 'cancelled'
  if (!open) body.steps = stepsOf(answer)
  const tokens = answer.candidateTokens + answer.thoughtTokens
  return compact(
    { ...body, object: 'interaction', model: head.model },
    tokens,
    head.usageMissing ? undefined : countsOf(answer),
  )
}

/** One line of JSON, as this surface writes it. */
function compact(value: JsonObject, tokens = 0, usage?: CallUsage): Reply {
  return {
    status: 200,
    headers: googleHeaders('application/json; charset=UTF-8'),
    frames: [{ bytes: JSON.stringify(value), tokens, usage }],
    tail: errorEvent,
    paced: tokens > 0,
  }
}

function errorEvent(error: ErrorSpec): string {
  const body = { error: { code: error.status.toLowerCase(), message: error.message }, event_type: 'error' }
  return `event: error\ndata: ${JSON.stringify(body)}\n\n`
}
