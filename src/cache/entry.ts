/**
 * A remembered answer, and its form in a store:
 *
 *   "CSTR" · version u8 · flags u8 · header length u32 · chunk count u32 · header JSON · chunks · body · digest 16 bytes
 *
 * The digest covers all before it, and the header names the key, so that a torn, rotten or foreign value shows
 * itself and is dropped instead of served. Numbers are big-endian.
 */
import { hash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib'

/** How the body is framed on the wire: one JSON text, server-sent events, or a JSON array sent in pieces. */
export type Framing = 'unary' | 'sse' | 'array'

export type EntryHeader = {
  key: string
  status: number
  contentType: string
  framing: Framing
  dialect: string
  operation: string
  model: string
  /** Other response headers worth replaying, e.g. x-gemini-service-tier. */
  headers: Array<[name: string, value: string]>
  /** Epoch ms. */
  createdAt: number
  ttlMs: number
  /** Epoch ms until which it may stand in for a failing upstream; at least createdAt + ttlMs. */
  staleUntil: number
  /** What the answer cost, and so what a hit saves. */
  costUsd: number
  /** What the upstream took to give it, to the last byte. */
  latencyMs: number
  /** Usage as Gemini reported it, for the ledger; opaque here. */
  usage: unknown
  partition: string
  tenant: string
  interaction: string
  tags: string[]
  /** The purge counter when its request began: purged scopes with a later one cover it. */
  generation: number
}

export type Entry = {
  header: EntryHeader
  body: Buffer
  /** Pairs: end offset in the body, ms since the request's first byte. Undefined for an answer that came in one piece. */
  chunks: Uint32Array | undefined
}

export type Damage = 'magic' | 'version' | 'truncated' | 'checksum' | 'header' | 'foreign' | 'body'

const MAGIC = 0x43535452
const VERSION = 1
const ZSTD = 1
const FIXED = 4 + 1 + 1 + 4 + 4
const DIGEST = 16

/** Smaller bodies gain less than a disk page. */
const WORTH_COMPRESSING = 4096
/** Compressed off the main thread from here on: level 1 of zstd takes about 3 µs per KB. */
const LARGE = 64 * 1024
/** A compressed body must be at least a tenth smaller to pay for its decompression on every disk hit. */
const WORTH_KEEPING = 0.9

const options = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
const compressLater = promisify(zstdCompress)

/** Bytes an entry takes in memory, the objects around it included (measured, bench/cache-store.ts). */
export function entryBytes(entry: Entry): number {
  return entry.body.length + (entry.chunks?.byteLength ?? 0) + 1024
}

/** A body cut from a larger buffer (a network read) would keep all of it alive. */
export function compactEntry(entry: Entry): Entry {
  const { body } = entry
  if (body.buffer.byteLength <= body.length + 4096) return entry
  const own = Buffer.allocUnsafeSlow(body.length)
  body.copy(own)
  return { ...entry, body: own }
}

/** The stored form. Resolves at once for small bodies; large ones are compressed in the thread pool. */
export async function encodeEntry(entry: Entry, compress = true): Promise<Buffer> {
  const { body } = entry
  if (!compress || body.length < WORTH_COMPRESSING) return pack(entry, body, 0)
  const small = body.length < LARGE ? zstdCompressSync(body, options) : await compressLater(body, options)
  return small.length <= body.length * WORTH_KEEPING ? pack(entry, small, ZSTD) : pack(entry, body, 0)
}

function pack(entry: Entry, body: Buffer, flags: number): Buffer {
  const header = Buffer.from(JSON.stringify({ ...entry.header, bodyLength: entry.body.length }))
  const chunks = entry.chunks ?? new Uint32Array()
  const out = Buffer.allocUnsafeSlow(FIXED + header.length + chunks.length * 4 + body.length + DIGEST)
  out.writeUInt32BE(MAGIC, 0)
  out.writeUInt8(VERSION, 4)
  out.writeUInt8(flags, 5)
  out.writeUInt32BE(header.length, 6)
  out.writeUInt32BE(chunks.length, 10)
  header.copy(out, FIXED)
  let at = FIXED + header.length
  for (const number of chunks) at = out.writeUInt32BE(number, at)
  body.copy(out, at)
  digest(out).copy(out, out.length - DIGEST)
  return out
}

/**
 * Reads a stored value.
 * @param key the key it was found under
 * @returns the entry, or what is wrong with it; never throws on bad bytes
 */
export function decodeEntry(stored: Uint8Array, key: string): Entry | Damage {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength)
  if (bytes.length < FIXED + DIGEST) return 'truncated'
  if (bytes.readUInt32BE(0) !== MAGIC) return 'magic'
  if (bytes.readUInt8(4) !== VERSION) return 'version'
  const headerEnd = FIXED + bytes.readUInt32BE(6)
  const bodyAt = headerEnd + bytes.readUInt32BE(10) * 4
  const bodyEnd = bytes.length - DIGEST
  if (bodyAt > bodyEnd) return 'truncated'
  if (!digest(bytes).equals(bytes.subarray(bodyEnd))) return 'checksum'
  const header = readHeader(bytes.toString('utf8', FIXED, headerEnd))
  if (header === undefined) return 'header'
  if (header.key !== key) return 'foreign'
  const { bodyLength, ...rest } = header
  const body = unpack(bytes.subarray(bodyAt, bodyEnd), bytes.readUInt8(5), bodyLength)
  if (body === undefined) return 'body'
  return { header: rest, body, chunks: readChunks(bytes, headerEnd, bodyAt) }
}

/**
 * Only the header, unverified: for a store's own columns and purges, never for serving.
 * @returns undefined when the bytes are no entry
 */
export function peekHeader(stored: Uint8Array): EntryHeader | undefined {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength)
  if (bytes.length < FIXED || bytes.readUInt32BE(0) !== MAGIC || bytes.readUInt8(4) !== VERSION) return undefined
  const end = FIXED + bytes.readUInt32BE(6)
  return end > bytes.length ? undefined : readHeader(bytes.toString('utf8', FIXED, end))
}

function digest(bytes: Buffer): Buffer {
  return hash('sha256', bytes.subarray(0, bytes.length - DIGEST), 'buffer').subarray(0, DIGEST)
}

/** The header as written by `pack`; the digest has already vouched that it is ours and whole. */
function readHeader(text: string): (EntryHeader & { bodyLength: number }) | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function unpack(stored: Buffer, flags: number, length: number): Buffer | undefined {
  if (flags === 0) return stored.length === length ? stored : undefined
  try {
    // The stated length bounds what a value may unfold to.
    const body = zstdDecompressSync(stored, { maxOutputLength: Math.max(1, length) })
    return body.length === length ? body : undefined
  } catch {
    return undefined
  }
}

function readChunks(bytes: Buffer, from: number, to: number): Uint32Array | undefined {
  if (from === to) return undefined
  const chunks = new Uint32Array((to - from) / 4)
  for (let at = from; at < to; at += 4) chunks[(at - from) / 4] = bytes.readUInt32BE(at)
  return chunks
}
