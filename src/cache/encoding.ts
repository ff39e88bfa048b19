/** Takes the content coding off a recorded body, so that one memory serves clients that accept it and those that do not. */
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib'

/** An answer may inflate to this; more is no answer but an attack. */
const MAX_BYTES = 256 * 1024 * 1024

const decoders: Record<string, (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>> = {
  gzip: promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
}

/** @returns the same buffer when it has no coding; undefined when it cannot be read */
export async function readBody(body: Buffer, encoding: string | undefined): Promise<Buffer | undefined> {
  if (encoding === undefined || encoding === '' || encoding === 'identity') return body
  const decode = decoders[encoding.toLowerCase()]
  if (decode === undefined) return undefined
  return await decode(body, { maxOutputLength: MAX_BYTES }).catch(() => undefined)
}
