import { hash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Client, Config } from '../../config/schema.ts'
import { GatewayError } from '../gemini/errors.ts'
import type { OutgoingCredentials } from '../gemini/headers.ts'
import type { Target } from '../gemini/target.ts'
import { bearerOf, type Credential, findCredential } from './credential.ts'
import { hashKey, issuedKeyPrefix, sameHash } from './issued.ts'
import { isLocalRequest } from './local.ts'
import { deriveKey, keyedHash } from './secret.ts'
import { readUploadProof, type UploadOwner, writeUploadProof } from './upload-proof.ts'

/** passthrough: the client's own Gemini key goes up; issued: a key of ours stands for one; shared: one key for all of this machine. */
export type AuthMode = 'passthrough' | 'issued' | 'shared'

/** Who asks, as every later plugin knows them. Holds no credential of the caller. */
export interface Caller {
  /** keyed hash that partitions cache, ledger and reports; not reversible, the same on every replica that shares the secret */
  readonly tenant: string
  /** short name of the key for logs: the client's name, or `key:` and eight digits of the tenant */
  readonly keyId: string
  /** name in `clients:`, null for callers with their own key */
  readonly client: string | null
  readonly tags: Readonly<Record<string, string>>
  /** Gemini key this caller's calls are made with; null: its own goes up */
  readonly upstreamKey: string | null
}

export interface Authentication {
  caller: Caller
  /** what to do with the credential headers on the way up */
  outgoing: OutgoingCredentials
}

/** Who had which ephemeral token minted, by the token's SHA-256. */
export type MintedTokens = Map<string, UploadOwner>

/** Most callers remembered by the hash of their credential, so that a known one costs one SHA-256. */
const maxRemembered = 10_000

const untouched: OutgoingCredentials = Object.freeze({
  apiKey: null,
  authorization: null,
  strip: Object.freeze({ apiKey: false, authorization: false }),
})

/**
 * Makes the function that tells who a request is from.
 * @param mode as `resolveAuthMode(config)` says
 * @param secret the gateway's secret, see loadSecret
 * @param tokens owners of the ephemeral tokens minted so far, by hash; handed on when a reload makes a new authenticator
 */
export function createAuthenticator(
  config: Pick<Config, 'auth' | 'clients'>,
  mode: AuthMode,
  secret: string,
  tokens: MintedTokens = new Map(),
) {
  const tenantKey = deriveKey(secret, 'tenant')
  const uploadKey = deriveKey(secret, 'upload')
  const clientOf = new Map<string, Client>()
  for (const client of config.clients) for (const keyHash of client.keyHash) clientOf.set(keyHash, client)
  const callers = new Map<string, Caller>()

  function tenantOf(kind: string, value: string): string {
    return keyedHash(tenantKey, kind, value).toString('hex', 0, 16)
  }

  function clientCaller(client: Client): Caller {
    const upstreamKey = client.upstreamKey || config.auth.upstreamKey
    return {
      tenant: tenantOf('client', client.name),
      keyId: client.name,
      client: client.name,
      tags: client.tags,
      upstreamKey,
    }
  }

  /** A CORS preflight is Gemini's to answer; it goes up with no key, and nobody pays for it. */
  const preflight: Caller = {
    tenant: tenantOf('preflight', ''),
    keyId: 'preflight',
    client: null,
    tags: {},
    upstreamKey: null,
  }

  function ownKeyCaller(value: string): Caller {
    const tenant = tenantOf('key', value)
    const upstreamKey = mode === 'shared' ? config.auth.upstreamKey : null
    return { tenant, keyId: `key:${tenant.slice(0, 8)}`, client: null, tags: {}, upstreamKey }
  }

  function issuedCaller(keyHash: string): Caller {
    const client = clientOf.get(keyHash)
    // The map is keyed by a SHA-256; the comparison on top keeps even the lookup's verdict free of timing.
    const known = client?.keyHash.some((one) => sameHash(one, keyHash)) ?? false
    if (client === undefined || !known) {
      throw new GatewayError('CASTOR_KEY_UNKNOWN', 'This API key is not one that the gateway has issued.')
    }
    return clientCaller(client)
  }

  function isIssued(key: string): boolean {
    return key.startsWith(issuedKeyPrefix) || clientOf.has(hashKey(key))
  }

  function callerOf(credential: Credential): Caller {
    const digest = hash('sha256', credential.value, 'hex')
    if (credential.place === 'token') return tokenCaller(digest, credential.value)
    const known = callers.get(digest)
    if (known !== undefined) return known
    const caller = mode === 'issued' ? issuedCaller(`sha256:${digest}`) : ownKeyCaller(credential.value)
    if (callers.size >= maxRemembered) callers.clear()
    callers.set(digest, caller)
    return caller
  }

  /** An ephemeral token goes up as it is, so in issued mode only one that Google minted for a client of ours is let through. */
  function tokenCaller(digest: string, token: string): Caller {
    const owner = tokens.get(digest)
    const caller = owner === undefined ? null : ownerCaller(owner)
    if (caller !== null) return caller
    if (mode === 'issued')
      throw new GatewayError('CASTOR_KEY_UNKNOWN', 'This token is not one that was made through this gateway.')
    return ownKeyCaller(token)
  }

  /** Who began something that is continued without a key; null when it is nobody the gateway still knows. */
  function ownerCaller({ tenant, client: name }: UploadOwner): Caller | null {
    if (name !== null) {
      const client = config.clients.find((one) => one.name === name)
      return client === undefined ? null : clientCaller(client)
    }
    if (mode === 'issued') return null
    const upstreamKey = mode === 'shared' ? config.auth.upstreamKey : null
    return { tenant, keyId: `key:${tenant.slice(0, 8)}`, client: null, tags: {}, upstreamKey }
  }

  /** The second step of a resumable upload, which several SDKs send without any key: the proof in the URL names the caller. */
  function uploader(target: Target): Caller | null {
    if (target.uploadProof === null || target.uploadId === null) return null
    const session = readUploadProof(uploadKey, target.uploadId, target.uploadProof)
    return session === null ? null : ownerCaller(session)
  }

  /**
   * @param method HTTP method: a browser asks with OPTIONS, and without any key, whether it may send the real request
   * @throws GatewayError CASTOR_KEY_MISSING, CASTOR_KEY_UNKNOWN, CASTOR_UPLOAD_UNKNOWN, CASTOR_KEY_MISPLACED
   */
  function authenticate(headers: IncomingHttpHeaders, target: Target, method: string): Authentication {
    const isPreflight = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
    // A preflight gets no key, so there is nothing to spend.
    if (mode === 'shared' && !isPreflight && !isLocalRequest(headers)) {
      throw new GatewayError(
        'CASTOR_NOT_LOCAL',
        "This gateway uses its own key for callers on its machine only; the request's Host or Origin is of another.",
      )
    }
    const credential = findCredential(headers, target)
    const owner = uploader(target)
    if (credential === null) {
      if (isPreflight) return { caller: preflight, outgoing: untouched }
      return { caller: owner ?? keyless(target), outgoing: outgoingFor(owner, null, headers, target) }
    }
    const caller = callerOf(credential)
    // Path and query go up as they are: a key of ours must not be in them a second time.
    if (
      caller.client !== null &&
      credential.place !== 'token' &&
      `${target.path}${target.search}`.includes(credential.value)
    ) {
      throw new GatewayError(
        'CASTOR_KEY_MISPLACED',
        'The API key stands in a part of the URL that would go to Gemini. Send it as x-goog-api-key, ?key= or Authorization: Bearer.',
      )
    }
    if (owner !== null && owner.tenant !== caller.tenant) {
      throw new GatewayError('CASTOR_UPLOAD_UNKNOWN', 'This upload was started by another caller.')
    }
    return { caller, outgoing: outgoingFor(caller, credential, headers, target) }
  }

  function keyless(target: Target): Caller {
    if (mode === 'shared') return ownKeyCaller('')
    if (target.uploadId !== null) {
      throw new GatewayError(
        'CASTOR_UPLOAD_UNKNOWN',
        'This upload cannot be continued: it has no API key, and its URL does not prove who started it.',
      )
    }
    throw new GatewayError(
      'CASTOR_KEY_MISSING',
      "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API " +
        'consumer identity to call this API. Send it as x-goog-api-key, ?key= or Authorization: Bearer.',
    )
  }

  function outgoingFor(
    caller: Caller | null,
    credential: Credential | null,
    headers: IncomingHttpHeaders,
    target: Target,
  ): OutgoingCredentials {
    const ours = caller === null ? (mode === 'shared' ? config.auth.upstreamKey : null) : caller.upstreamKey
    // An ephemeral token is a credential of its own, which only Google can check: no key is added to it.
    if (credential?.place === 'token') return untouched
    if (ours === null) {
      // `?key=` would stand in Google's and every proxy's access log: it goes up as the header instead.
      return credential?.place === 'query' ? { ...untouched, apiKey: credential.value } : untouched
    }
    // A Bearer token that is no key of ours belongs to the call (files:register sends an OAuth token beside the key).
    const bearer = bearerOf(headers)
    const bearerIsKey = bearer !== null && (bearer === credential?.value || isIssued(bearer))
    const stripAuthorization = bearerIsKey || (mode === 'shared' && target.dialect === 'openai')
    const strip = { apiKey: true, authorization: stripAuthorization }
    if (target.dialect === 'openai') return { apiKey: null, authorization: `Bearer ${ours}`, strip }
    return { apiKey: ours, authorization: null, strip }
  }

  /**
   * Remembers an ephemeral Live token that Google minted for a caller, so that the socket which later comes with nothing but
   * this token is known. Kept in this process only, as a hash.
   */
  function rememberToken(token: string, caller: Caller): void {
    if (tokens.size >= maxRemembered) tokens.delete(tokens.keys().next().value as string)
    tokens.set(hash('sha256', token, 'hex'), { tenant: caller.tenant, client: caller.client })
  }

  /** Proof for the URL of an upload session that this caller has begun. */
  function proveUpload(uploadId: string, caller: Caller): string {
    return writeUploadProof(uploadKey, uploadId, caller)
  }

  return { authenticate, rememberToken, proveUpload }
}

export type Authenticator = ReturnType<typeof createAuthenticator>
