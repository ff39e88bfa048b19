/** multipart/related as one buffer: the metadata, then the bytes. */

export interface Part {
  type: string | undefined
  body: Buffer
}

const blank = Buffer.from('\r\n\r\n')

/** The parts in order; none when the boundary is missing (RFC 2046 §5.1.1). */
export function splitMultipart(body: Buffer, contentType: string): Part[] {
  const named = /boundary=(?:"([^"]+)"|([^;]+))/i.exec(contentType)
  const boundary = named?.[1] ?? named?.[2]?.trim()
  if (boundary === undefined) return []
  const mark = Buffer.from(`--${boundary}`)
  const parts: Part[] = []
  let start = body.indexOf(mark)
  while (start >= 0) {
    const end = body.indexOf(mark, start + mark.length)
    if (end < 0) break
    const piece = body.subarray(start + mark.length + 2, end - 2)
    const head = piece.indexOf(blank)
    if (head >= 0) {
      const type = /^content-type:\s*(.+)$/im.exec(piece.subarray(0, head).toString())?.[1]?.trim()
      parts.push({ type, body: piece.subarray(head + blank.length) })
    }
    start = end
  }
  return parts
}
