import type { Static, TObject, TSchema } from 'typebox'
import type { House } from '../house.ts'
import type { Principal, Scope } from './guard.ts'

/** What a handler gets, checked against the schemas of its route. */
export interface AdminInput<Query = Record<string, unknown>, Body = unknown> {
  query: Query
  /** `{}` when the route takes a body and none came */
  body: Body
  /** `:name` parts of the path: 1 to 128 letters, digits and . _ ~ - */
  params: Readonly<Record<string, string>>
  who: Principal
  /** aborts when the client leaves */
  signal: AbortSignal
  /** what the answer should carry besides its body; the status is the route's otherwise */
  answer: { status(code: number): void; header(name: string, value: string): void }
}

/** One route of the admin API: everything that is known of it, in one place. The OpenAPI document is generated from these. */
export interface AdminRoute<Query extends TObject = TObject, Body extends TSchema = TSchema> {
  method: 'GET' | 'POST' | 'DELETE'
  /** below the prefix, from slash to slash, e.g. `/batch/:id/`; it answers without the last slash too */
  path: string
  /** read: any token; operate: the full one only. Whatever changes something is operate, and is audited. */
  scope: Scope
  /** one line, as a title */
  summary: string
  /** a Type.Object without additional properties; without it any parameter is refused */
  querySchema?: Query
  /** of a JSON body; without it a body is refused */
  bodySchema?: Body
  /** of the answer, for the documentation only */
  responseSchema?: TSchema
  /** of an answer that went well; default 200 */
  status?: number
  /** media type of an answer that is not JSON; the handler then returns the text, the bytes or a stream of them */
  produces?: string
  /** largest body in bytes; default 1 MB */
  bodyLimit?: number
  /**
   * @returns the answer, as an object for JSON
   * @throws GatewayError; ConfigError becomes a 400 that lists its problems
   */
  handler(input: AdminInput<Static<Query>, Static<Body>>, house: House): unknown
}

/** Types a route's handler by its schemas, and takes it into the table, where all have one type. */
export function defineRoute<Query extends TObject, Body extends TSchema>(route: AdminRoute<Query, Body>): AdminRoute {
  // The input is checked against the same two schemas before the handler is called.
  return route as unknown as AdminRoute
}
