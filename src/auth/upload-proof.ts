import { timingSafeEqual } from 'node:crypto'
import { keyedHash } from './secret.ts'

/** Who started an upload session. */
export interface UploadOwner {
  tenant: string
  /** name in `clients:`, null for a caller with its own Gemini key */
  client: string | null
}

/** Bytes of the MAC that stand in the URL: 128 bits cannot be guessed. */
const macBytes = 16

/**
 * The proof that an upload session belongs to a caller. It travels in the upload URL that the client was given, so that the
 * second step, which python-genai, the AI SDK and curl send without a key, is authorised on any replica without shared state.
 */
export function writeUploadProof(key: Buffer, uploadId: string, owner: UploadOwner): string {
  const claim = Buffer.from(JSON.stringify([owner.tenant, owner.client])).toString('base64url')
  return `${claim}.${mac(key, uploadId, claim).toString('base64url')}`
}

/** Reads a proof; null when it was not made by us for this upload. */
export function readUploadProof(key: Buffer, uploadId: string, proof: string): UploadOwner | null {
  const dot = proof.indexOf('.')
  if (dot < 0) return null
  const claim = proof.slice(0, dot)
  const given = Buffer.from(proof.slice(dot + 1), 'base64url')
  const expected = mac(key, uploadId, claim)
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null
  // The MAC is right, so the claim is text that we wrote.
  const [tenant, client] = JSON.parse(Buffer.from(claim, 'base64url').toString()) as [string, string | null]
  return { tenant, client }
}

function mac(key: Buffer, uploadId: string, claim: string): Buffer {
  return keyedHash(key, uploadId, claim).subarray(0, macBytes)
}
