/** Calls the admin API of a running gateway, for the commands that steer one. */

export interface AdminAddress {
  /** origin of the gateway, with or without its base path */
  url: string
  /** path of the admin API */
  prefix: string
  /** empty when the gateway asks for none (on 127.0.0.1 only) */
  token: string
}

/** What the operator has to know, in a sentence; `exitCode` is for scripts. */
export class AdminCallError extends Error {
  readonly exitCode: number
  constructor(message: string, exitCode: number) {
    super(message)
    this.exitCode = exitCode
  }
}

/** sysexits.h: a service is unavailable, permission is denied, the remote end broke the protocol. */
const EX_UNAVAILABLE = 69
const EX_NOPERM = 77
const EX_PROTOCOL = 76

const timeoutMs = 30_000

/**
 * @param path below the prefix, with its query
 * @param body sent as JSON; undefined makes a GET
 * @throws AdminCallError
 */
export async function callAdmin({ url, prefix, token }: AdminAddress, path: string, body?: unknown): Promise<unknown> {
  const headers: Record<string, string> = token === '' ? {} : { authorization: `Bearer ${token}` }
  let response: Response
  let text: string
  try {
    response = await fetch(url.replace(/\/+$/, '') + prefix + path, {
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(timeoutMs),
    })
    text = await response.text()
  } catch (error) {
    const cause = (error as Error).name === 'TimeoutError' ? 'it did not answer in time' : causeOf(error)
    throw new AdminCallError(
      `no gateway answers at ${url} (${cause}). Is it running? --url names another.`,
      EX_UNAVAILABLE,
    )
  }
  const answer = parsed(text)
  if (response.ok && answer !== undefined) return answer
  const message =
    (answer as { error?: { message?: string } } | undefined)?.error?.message ?? `status ${response.status}`
  if (response.status === 401 || response.status === 403) {
    throw new AdminCallError(`${message} Set CASTOR_ADMIN_TOKEN to the gateway's admin.token.`, EX_NOPERM)
  }
  throw new AdminCallError(message, response.status === 400 ? 64 : EX_PROTOCOL)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function causeOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: string; message?: string } }
  return cause?.code ?? cause?.message ?? (error as Error).message
}
