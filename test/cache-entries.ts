import type { Entry, EntryHeader } from '../src/cache/entry.ts'

/** An entry for tests: every field stated, any of them replaced. */
export function entryOf(
  key: string,
  more: Partial<EntryHeader> & { body?: string | Buffer; chunks?: number[] } = {},
): Entry {
  const { body = 'an answer', chunks, ...header } = more
  return {
    header: {
      key,
      status: 200,
      contentType: 'application/json; charset=UTF-8',
      framing: 'unary',
      dialect: 'native',
      operation: 'generateContent',
      model: 'gemini-2.5-flash',
      headers: [['x-gemini-service-tier', 'standard']],
      createdAt: 1_000_000,
      ttlMs: 3_600_000,
      staleUntil: 1_000_000 + 7_200_000,
      costUsd: 0.001,
      latencyMs: 900,
      usage: { promptTokens: 3 },
      partition: 'p1',
      tenant: 't1',
      interaction: '',
      tags: [],
      generation: 0,
      ...header,
    },
    body: Buffer.from(body),
    chunks: chunks === undefined ? undefined : Uint32Array.from(chunks),
  }
}
