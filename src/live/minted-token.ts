import { createDecoder, isIdentity } from '../gemini/decode.ts'

/** An answer that names a token is small; of anything larger nothing is read. */
const maxBytes = 64 * 1024

/**
 * Reads along in the answer of POST /auth_tokens, a small JSON object, to learn which ephemeral token (`auth_tokens/…`) Google minted. The
 * answer itself goes its own way; one that breaks off or cannot be read names no token.
 * @param stream the answer's body, which somebody else consumes
 * @param contentEncoding its content-encoding: SDKs on fetch always ask for a compressed one
 */
export function watchMintedToken(
  stream: NodeJS.ReadableStream,
  contentEncoding: string | undefined,
  found: (token: string) => void,
): void {
  const chunks: Buffer[] = []
  let bytes = 0
  const keep = (chunk: Buffer): void => {
    bytes += chunk.length
    if (bytes <= maxBytes) chunks.push(chunk)
  }
  const finish = (fault?: string): void => {
    const token = fault === undefined && bytes <= maxBytes ? nameIn(Buffer.concat(chunks)) : null
    if (token !== null) found(token)
  }
  if (contentEncoding === undefined || isIdentity(contentEncoding)) {
    stream.on('data', keep).once('end', () => finish())
    return
  }
  const decoder = createDecoder(contentEncoding, maxBytes, keep, finish)
  stream.on('data', (chunk: Buffer) => decoder.write(chunk)).once('end', () => decoder.end())
}

function nameIn(body: Buffer): string | null {
  try {
    const { name } = JSON.parse(body.toString()) as { name?: unknown }
    return typeof name === 'string' ? name : null
  } catch {
    return null
  }
}
