import type { Readable } from 'node:stream'
import type { Knock, Principal, Scope } from './guard.ts'

/** A request as the admin side sees it, after the guard. */
export interface Call {
  knock: Knock
  /** null only on endpoints with access `open` */
  who: Principal | null
  /** path and query, without the gateway's base path */
  url: string
  params: Readonly<Record<string, string>>
  body: Buffer | undefined
  /** aborts when the client leaves */
  signal: AbortSignal
}

export interface Reply {
  status: number
  headers: Record<string, string>
  body: string | Buffer | Readable
  /** whom a sign-in has let in, for the audit */
  who?: Principal
}

/** One method on one path below the prefix, and how it is answered. The plugin does no more than register these. */
export interface Endpoint {
  method: 'GET' | 'POST' | 'DELETE'
  /** below the prefix; '' is the prefix itself */
  url: string
  /** what its caller must be allowed; open: nobody in particular, for signing in and for files without secrets */
  access: Scope | 'open'
  /** bytes */
  bodyLimit: number
  answer(call: Call): Reply | Promise<Reply>
}

/** Bodies of the admin API are settings and prompts; a route that takes more says so itself. */
export const largestBody = 1_000_000

export function json(value: unknown, status = 200): Reply {
  const headers = { 'content-type': 'application/json; charset=UTF-8' }
  return { status, headers, body: `${JSON.stringify(value, null, 2)}\n` }
}

/** Whether the caller is somebody's browser that wants to show what it gets. */
export function wantsPage({ knock }: Pick<Call, 'knock'>): boolean {
  return /\btext\/html\b/.test(knock.headers.accept ?? '')
}
