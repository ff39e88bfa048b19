import type { Readable } from 'node:stream'
import { ConfigError, type Problem } from '../../config/load.ts'
import { GatewayError } from '../gemini/errors.ts'
import type { House } from '../house.ts'
import { type Call, type Endpoint, json, largestBody, type Reply } from './endpoint.ts'
import type { Principal } from './guard.ts'
import { readJson, readParams, readQuery } from './input.ts'
import type { AdminInput, AdminRoute } from './route.ts'

/** The endpoints of a route of the table: with and without its last slash. */
export function routeEndpoints(route: AdminRoute, house: House): Endpoint[] {
  const { method, path, scope: access, bodyLimit = largestBody } = route
  return [path, path.replace(/\/$/, '')].map((url) => {
    return { method, url, access, bodyLimit, answer: (call) => answer(route, call, house) }
  })
}

/** Checks what was sent, calls the handler and renders what it returns. Throws GatewayError, or what the handler throws. */
async function answer(route: AdminRoute, call: Call, house: House): Promise<Reply> {
  const { body, knock, signal, url } = call
  const mark = url.indexOf('?')
  const { jsonDepth } = house.settings.current.limits
  let { status = 200 } = route
  const headers: Record<string, string> = {}
  const input = {
    query: readQuery(mark < 0 ? '' : url.slice(mark), route.querySchema),
    body: readJson(body, knock.headers['content-type'], route.bodySchema, jsonDepth),
    params: readParams(call.params),
    // Only open endpoints are reached by nobody, and no route of the table is one.
    who: call.who as Principal,
    signal,
    answer: {
      status(code: number) {
        status = code
      },
      header(name: string, value: string) {
        headers[name.toLowerCase()] = value
      },
    },
  }
  const result = await callHandler(route, input, house)
  // A route that says what it produces returns just that.
  const rendered: Reply =
    route.produces === undefined
      ? json(result)
      : { status, headers: { 'content-type': route.produces }, body: result as string | Buffer | Readable }
  return { ...rendered, status, headers: { ...rendered.headers, ...headers } }
}

async function callHandler(route: AdminRoute, input: AdminInput, house: House): Promise<unknown> {
  try {
    return await route.handler(input, house)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const violations = error.problems.map(violation)
    throw new GatewayError('CASTOR_BAD_SETTINGS', error.message, { cause: error, violations })
  }
}

function violation({ file, line, column, path, message, fix }: Problem) {
  const place = line > 0 ? `${file}:${line}:${column}` : file
  return { field: path, description: `${place} ${message}; ${fix}` }
}
