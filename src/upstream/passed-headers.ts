import { passesToClient } from '../gemini/headers.ts'
import { uploadProofParameter } from '../gemini/target.ts'
import { movedUrl } from './public-url.ts'

type Headers = Record<string, string | string[] | undefined>

/** Headers in which Google names the address of an upload session. */
const uploadAddresses = ['x-goog-upload-url', 'x-goog-upload-control-url']

export interface PassedAnswer {
  /** where the client reaches the gateway */
  base: string
  /** origins whose redirects are moved to the gateway: the upstream's, and Google's own */
  origins: readonly string[]
  /** the key that the call went up with, when it is the gateway's and not the client's */
  upstreamKey: string | null
  proveUpload(uploadId: string): string
  /** added to every answer */
  added: Record<string, string>
}

/**
 * The headers of a passed-through answer as the client gets them: hop-by-hop, echoed and advertising headers left out, upload addresses and
 * redirects moved to the gateway, the key that Google copies into them taken out, and a proof of ownership put in.
 */
export function passedHeaders(headers: Headers, answer: PassedAnswer): Headers {
  const out: Headers = {}
  for (const [name, value] of Object.entries(headers)) if (passesToClient(name)) out[name] = value
  for (const name of uploadAddresses) moveHeader(out, name, answer, () => true)
  moveHeader(out, 'location', answer, (url) => answer.origins.includes(new URL(url).origin))
  for (const [name, value] of Object.entries(out)) if (holdsKey(value, answer.upstreamKey)) delete out[name]
  const timing = out['server-timing']
  Object.assign(out, answer.added)
  // Google's own server-timing stays beside ours: it is a list.
  if (timing !== undefined) out['server-timing'] = [timing, answer.added['server-timing'] ?? []].flat()
  return out
}

/** Whether a value shows the client a key that is not its own. */
function holdsKey(value: string | string[] | undefined, key: string | null): boolean {
  return key !== null && value !== undefined && [value].flat().some((text) => text.includes(key))
}

function moveHeader(headers: Headers, name: string, answer: PassedAnswer, wanted: (url: string) => boolean): void {
  const url = headers[name]
  if (typeof url !== 'string' || !URL.canParse(url) || !wanted(url)) return
  const moved = movedUrl(url, answer.base, (query) => {
    for (const credential of ['key', 'access_token', 'api_key']) query.delete(credential)
    const uploadId = query.get('upload_id')
    if (uploadId !== null) query.set(uploadProofParameter, answer.proveUpload(uploadId))
  })
  if (moved !== null) headers[name] = moved
}
