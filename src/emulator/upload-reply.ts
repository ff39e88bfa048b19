/** Answers of Google's upload server, which has headers of its own. */
import { pretty } from './framing.ts'
import type { Json } from './json.ts'
import { type Reply, rawTail } from './reply.ts'
import type { Call, World } from './world.ts'

/** Google refuses pieces that are no multiple of this many bytes, except the last. */
export const granularity = 8_388_608

/** Where the bytes go, on the server's own origin whatever host the caller used; a key in the query is echoed. */
export function started(world: World, call: Call, id: string): Reply {
  const query = new URLSearchParams(call.route.query)
  query.set('upload_id', id)
  query.set('upload_protocol', 'resumable')
  const verb = call.route.verb ? `:${call.route.verb}` : ''
  const url = `${world.origin}/upload/${call.route.version}/${call.route.name}${verb}?${query}`
  // older Google libraries go where Location says (uploadType=resumable)
  const location = call.route.query.has('uploadType') ? ['Location', url] : []
  return uploadReply(id, 'active', undefined, [
    ...location,
    'X-Goog-Upload-URL',
    url,
    'X-Goog-Upload-Control-URL',
    url,
    'X-Goog-Upload-Chunk-Granularity',
    String(granularity),
    'X-Goog-Upload-Header-Content-Type',
    'application/json; charset=UTF-8',
    'X-Goog-Upload-Header-Vary',
    'Origin',
    'X-Goog-Upload-Header-Vary',
    'X-Origin',
    'X-Goog-Upload-Header-Vary',
    'Referer',
  ])
}

/** Empty bodies are text/plain, the final one is the resource. */
export function uploadReply(id: string, status: string, body: Json | undefined, more: string[] = []): Reply {
  const bytes = body === undefined ? '' : pretty(body)
  const type = body === undefined ? 'text/plain; charset=utf-8' : 'application/json; charset=UTF-8'
  const headers = ['Content-Type', type, 'X-GUploader-UploadID', id, 'X-Goog-Upload-Status', status, ...more]
  headers.push('Vary', 'Origin', 'Vary', 'X-Origin', 'Vary', 'Referer')
  headers.push('Content-Length', String(Buffer.byteLength(bytes)), 'Server', 'UploadServer')
  headers.push('Alt-Svc', 'h3=":443"; ma=2592000,h3-29=":443"; ma=2592000')
  return { status: 200, headers, frames: [{ bytes, tokens: 0 }], tail: rawTail, sized: true, paced: false }
}
