import { isIdentity } from './decode.ts'
import { headerValue } from './headers.ts'
import { skipSpace } from './scan.ts'

/**
 * Whether the first bytes of an SSE answer are Google's own error in the place of an event: no `data:`, an object at once
 * (facts/gemini-wire.md §2.6). Inside a compressed answer it cannot be told.
 */
export function isErrorTail({ headers }: { headers: readonly string[] }, bytes: Buffer): boolean {
  return isIdentity(headerValue(headers, 'content-encoding')) && bytes[skipSpace(bytes, 0)] === 0x7b
}
