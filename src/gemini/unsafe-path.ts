/** Whether a path has `.` or `..` segments, plain or encoded, or a backslash, fragment or control character: never forwarded. */
export function hasUnsafeSegments(path: string): boolean {
  // Most model names have a dot in them, which alone must not cost the decoding below.
  if (!/(?:^|\/)\.\.?(?:\/|$)|[\\%#\x00-\x1f]/.test(path)) return false
  // A request target has no fragment (RFC 9112 §3.2), and the next reader might cut the path there.
  if (path.includes('#')) return true
  let decoded = path
  // Twice, so that `%252e%252e` cannot become `..` behind us.
  for (let round = 0; round < 2; round++) {
    try {
      decoded = decodeURIComponent(decoded)
    } catch {
      return round === 0
    }
    if (decoded.includes('\\') || /[\x00-\x1f]/.test(decoded)) return true
    if (decoded.split('/').some((segment) => segment === '.' || segment === '..')) return true
  }
  return false
}
