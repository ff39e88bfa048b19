import type { IncomingHttpHeaders } from 'node:http'
import { GatewayError } from '../gemini/errors.ts'

const maxPairs = 20
const maxNameLength = 64
const maxValueLength = 256
const name = /^[A-Za-z0-9][\w.-]*$/

/** Forms of the keys and tokens that a Gemini client has: they are for no report. */
const key = /AIza[\w-]{20}|AQ\.[\w-]{20}|castor-[\w-]{40}|ya29\.|auth_tokens\/|sk-[\w-]{20}/

/**
 * Reads a header of pairs such as `team=a, env=prod` or `meeting_id=123; meeting_type=discovery`; both separators are understood.
 * @throws GatewayError CASTOR_BAD_HEADER naming the header and what would be right
 */
export function readPairs(headers: IncomingHttpHeaders, header: string): Record<string, string> | null {
  const text = headers[header]
  if (typeof text !== 'string' || text === '') return null
  refuseKeys(text, header)
  const pairs: Record<string, string> = Object.create(null)
  let count = 0
  for (const part of text.split(/[;,]/)) {
    if (part.trim() === '') continue
    const equals = part.indexOf('=')
    const pairName = (equals < 0 ? part : part.slice(0, equals)).trim()
    const value = equals < 0 ? '' : part.slice(equals + 1).trim()
    if (
      equals < 0 ||
      !name.test(pairName) ||
      pairName.length > maxNameLength ||
      value === '' ||
      value.length > maxValueLength
    ) {
      throw new GatewayError(
        'CASTOR_BAD_HEADER',
        `${header} holds a part that is not name=value; write it like "team=a; env=prod".`,
      )
    }
    if (++count > maxPairs) throw new GatewayError('CASTOR_BAD_HEADER', `${header} holds more than ${maxPairs} pairs.`)
    pairs[pairName] = value
  }
  return pairs
}

/**
 * Reads a header that is one word, such as `x-castor-interaction: question_generation`.
 * @throws GatewayError CASTOR_BAD_HEADER
 */
export function readWord(headers: IncomingHttpHeaders, header: string): string | null {
  const text = headers[header]
  if (typeof text !== 'string' || text === '') return null
  refuseKeys(text, header)
  if (!name.test(text) || text.length > maxNameLength) {
    throw new GatewayError(
      'CASTOR_BAD_HEADER',
      `${header} must be one word of letters, digits, "_", "." and "-", at most ${maxNameLength} long.`,
    )
  }
  return text
}

function refuseKeys(text: string, header: string): void {
  if (!key.test(text)) return
  throw new GatewayError('CASTOR_BAD_HEADER', `${header} holds what looks like an API key; it would stand in reports.`)
}
