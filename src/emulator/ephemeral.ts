/** auth_tokens: keys for browsers, good for the Live API and for a short time. */
import { camelCase } from './casing.ts'
import { rfc3339, timeMs } from './duration.ts'
import { asNumber, asObject, asString, type JsonObject } from './json.ts'
import { randomToken } from './random.ts'
import { jsonReply } from './reply.ts'
import { type Handler, parseBody, type World } from './world.ts'

interface Token {
  owner: string
  uses: number
  expiresMs: number
}

/** Documented default: 30 minutes. */
const lifeMs = 30 * 60_000
/** Tokens held at once; more forget the oldest. */
const most = 1000

export interface EphemeralTokens {
  /** POST /auth_tokens */
  create: Handler
  /** The key behind "auth_tokens/...", spending one use; undefined when it is unknown, spent or too old. */
  spend(token: string): string | undefined
  reset(): void
}

/** No tokens yet. */
export function createEphemeralTokens(world: World): EphemeralTokens {
  const tokens = new Map<string, Token>()
  return {
    create(call) {
      const raw = camelCase(parseBody(call.body), call.body.toString())
      const body = asObject(raw.authToken) ?? raw
      const expires = asString(body.expireTime)
      const expiresMs = expires === undefined ? world.clock() + lifeMs : timeMs(expires, 'auth_token.expire_time')
      const name = `auth_tokens/${randomToken(world.random, 64)}`
      const oldest = tokens.size >= most ? tokens.keys().next().value : undefined
      if (oldest !== undefined) tokens.delete(oldest)
      tokens.set(name, { owner: call.key, uses: asNumber(body.uses) ?? 1, expiresMs })
      const answer: JsonObject = { name, expireTime: rfc3339(expiresMs) }
      return jsonReply(answer)
    },
    spend(name) {
      const token = tokens.get(name)
      if (!token || token.expiresMs <= world.clock()) return undefined
      // 0 uses means any number of them
      if (token.uses === 1) tokens.delete(name)
      else if (token.uses > 1) token.uses--
      return token.owner
    },
    reset: () => tokens.clear(),
  }
}
