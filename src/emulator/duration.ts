/** Times as protobuf's JSON writes them. */
import { invalid } from './errors.ts'

/** Milliseconds of "3600s" or "1.5s". Throws 400 for anything else. */
export function durationMs(text: string, field: string): number {
  const match = /^(\d+(?:\.\d{1,9})?)s$/.exec(text)
  if (!match) throw invalid(`Invalid value at '${field}' (type.googleapis.com/google.protobuf.Duration), "${text}"`)
  return Number(match[1]) * 1000
}

/** Milliseconds since the epoch of an RFC 3339 time. Throws 400 for anything else. */
export function timeMs(text: string, field: string): number {
  const time = Date.parse(text)
  if (Number.isNaN(time))
    throw invalid(`Invalid value at '${field}' (type.googleapis.com/google.protobuf.Timestamp), "${text}"`)
  return time
}

/** RFC 3339 with microseconds, as Google writes most times. */
export function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z')
}
