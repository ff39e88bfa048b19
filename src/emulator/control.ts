/** The emulator's own routes, for tests that run it in another process: /__emulator/calls, faults, count, reset. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Fault, FaultRule } from './faults.ts'
import { asList, asNumber, asObject, asString, type Json, type JsonObject } from './json.ts'
import { isErrorName } from './named-errors.ts'
import type { CallFilter, RecordedCall } from './options.ts'
import type { Route } from './route.ts'
import type { World } from './world.ts'

/** Most bytes of a rule. */
const mostBytes = 2 ** 20

/** Answers a control request; everything is JSON. */
export function createControl(world: World, reset: () => void) {
  return async (request: IncomingMessage, response: ServerResponse, route: Route): Promise<void> => {
    const answer = (status: number, value: Json) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(`${JSON.stringify(value, null, 2)}\n`)
    }
    const filter = filterOf(route.query)
    switch (`${request.method} ${route.name}`) {
      case 'GET calls':
        return answer(200, world.recorder.calls.filter((call) => fits(call, filter)).map(shown))
      case 'GET count':
        return answer(200, {
          count: world.recorder.count([...route.query.keys()].length > 0 ? filter : undefined),
          usage: { ...world.recorder.usageTotals() },
        })
      case 'GET faults':
        // rules are plain data, which the cast says
        return answer(200, world.faults.rules as unknown as Json)
      case 'POST faults': {
        const text = await bodyOf(request)
        const rule = text === undefined ? undefined : ruleOf(text)
        if (!rule) return answer(400, { error: 'a rule is {match?, fault: {kind, ...} | [...], times?}' })
        world.faults.add(rule)
        return answer(200, { rules: world.faults.rules.length })
      }
      case 'DELETE faults':
        world.faults.clear()
        return answer(200, { rules: 0 })
      case 'POST reset':
        reset()
        return answer(200, {})
      default:
        return answer(404, { error: `no ${request.method} ${route.name} here` })
    }
  }
}

function filterOf(query: URLSearchParams): CallFilter {
  const filter: CallFilter = {}
  for (const name of ['operation', 'model', 'key', 'method'] as const) {
    const value = query.get(name)
    if (value !== null) filter[name] = value
  }
  const status = query.get('status')
  if (status !== null) filter.status = Number(status)
  const aborted = query.get('aborted')
  if (aborted !== null) filter.aborted = aborted === 'true'
  return filter
}

function fits(call: RecordedCall, filter: CallFilter): boolean {
  return Object.entries(filter).every(([name, value]) => call[name as keyof CallFilter] === value)
}

/** Bodies are shown as base64, for they may be anything. */
function shown(call: RecordedCall): JsonObject {
  return {
    ...call,
    key: call.key,
    model: call.model,
    usage: call.usage ? { ...call.usage } : undefined,
    body: call.body.toString('base64'),
  }
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length // a request without encoding yields buffers
    if (size > mostBytes) return undefined
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString()
}

const kinds = new Set<Fault['kind']>([
  'error',
  'delay',
  'firstEvent',
  'stall',
  'cut',
  'reset',
  'close',
  'truncate',
  'halfEvent',
  'errorTail',
  'usage',
  'contentLength',
  'gzip',
  'block',
  'finish',
  'goAway',
])
const positioned = new Set(['stall', 'cut', 'truncate', 'halfEvent', 'errorTail'])

function ruleOf(text: string): FaultRule | undefined {
  let rule: JsonObject | undefined
  try {
    rule = asObject(JSON.parse(text))
  } catch {
    return undefined
  }
  if (!rule) return undefined
  const faults = asList(rule.fault).map(asObject)
  for (const fault of faults) {
    if (!fault || !kinds.has(asString(fault.kind) as Fault['kind'])) return undefined
    if (positioned.has(String(fault.kind)) && asNumber(fault.afterEvents) === undefined) fault.afterEvents = 0
    if (fault.kind === 'error' && !asObject(fault.error) && !isErrorName(asString(fault.error) ?? '')) return undefined
  }
  // checked above as far as a wrong rule could do harm
  return faults.length > 0 ? (rule as unknown as FaultRule) : undefined
}
