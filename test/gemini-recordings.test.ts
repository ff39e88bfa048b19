import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import type { Observation } from '../src/gemini/observe.ts'
import { cut, observe } from './gemini-observing.ts'
import { loadRecordings, type Recording, skipRecordings } from './gemini-recordings.ts'

type Row = { modality: string; tokenCount: number }

type Candidate = {
  finishReason?: string
  content?: { parts?: { functionCall?: unknown }[] }
  groundingMetadata?: { webSearchQueries?: string[] }
}

type Interaction = { usage?: Record<string, number> }

/** What the oracle reads of a recorded document. */
type Piece = Interaction & {
  candidates?: Candidate[]
  usageMetadata?: Record<string, unknown>
  modelVersion?: string
  responseId?: string
  totalTokens?: number
  interaction?: Interaction
}

/** The documents of a recorded body, cut and parsed without any of the code under test. */
function documents({ body, options }: Recording): Piece[] {
  const text = body.toString()
  if (options.framing !== 'sse') {
    const parsed = JSON.parse(text)
    return Array.isArray(parsed) ? parsed : [parsed]
  }
  return text
    .split(/\r\n\r\n|\n\n/)
    .flatMap((event) => event.split('\n').filter((line) => line.startsWith('data:')))
    .map((line) => line.slice(5).trim())
    .filter((data) => data !== '[DONE]')
    .map((data) => JSON.parse(data))
}

/** Last value of each field, the last piece with a finish reason first. Straight from the documentation. */
function expectedCounts(pieces: Piece[], kind: string): Record<string, number> {
  if (kind === 'interactions') {
    const usage = pieces.map((piece) => (piece.interaction ?? piece).usage).findLast(Boolean) ?? {}
    return {
      promptTokens: usage.total_input_tokens ?? 0,
      cachedTokens: usage.total_cached_tokens ?? 0,
      candidateTokens: usage.total_output_tokens ?? 0,
      thoughtTokens: usage.total_thought_tokens ?? 0,
      toolUseTokens: usage.total_tool_use_tokens ?? 0,
      totalTokens: usage.total_tokens ?? 0,
    }
  }
  const usages = pieces.map((piece) => piece.usageMetadata).filter((usage) => usage !== undefined)
  const last = pieces.findLast((piece) => piece.candidates?.some((candidate) => candidate.finishReason))
  const field = (name: string): number =>
    Number(last?.usageMetadata?.[name] ?? usages.findLast((usage) => usage[name] !== undefined)?.[name] ?? 0)
  const counted = pieces[0]?.totalTokens
  return {
    promptTokens: counted ?? field('promptTokenCount'),
    cachedTokens: field('cachedContentTokenCount'),
    candidateTokens: field('candidatesTokenCount'),
    thoughtTokens: field('thoughtsTokenCount'),
    toolUseTokens: field('toolUsePromptTokenCount'),
    totalTokens: counted ?? (field('totalTokenCount') || field('promptTokenCount')),
  }
}

function counts({ usage }: Observation): Record<string, number> {
  const { promptTokens, cachedTokens, candidateTokens, thoughtTokens, toolUseTokens, totalTokens } = usage
  return { promptTokens, cachedTokens, candidateTokens, thoughtTokens, toolUseTokens, totalTokens }
}

const details: [keyof Observation['usage']['byModality'], string][] = [
  ['prompt', 'promptTokensDetails'],
  ['cached', 'cacheTokensDetails'],
  ['candidates', 'candidatesTokensDetails'],
  ['toolUse', 'toolUsePromptTokensDetails'],
]

const sum = (record: Record<string, number>): number => Object.values(record).reduce((one, other) => one + other, 0)

t.test('every recorded answer', { skip: skipRecordings }, async (t) => {
  const recordings = loadRecordings('raw', 'reserialized').filter(({ body }) => body.length > 2)

  await t.test('is metered as a plain reading of the whole body meters it', async (t) => {
    let metered = 0
    for (const recording of recordings) {
      const pieces = documents(recording)
      const observation = await observe(recording.options, [recording.body])
      t.same(counts(observation), expectedCounts(pieces, recording.kind), recording.file)
      if (observation.usage.source !== 'none') metered += 1
    }
    t.ok(metered > 300, `${metered} recordings carry usage`)
  })

  await t.test('keeps the documented identity of the total', async (t) => {
    for (const recording of recordings) {
      const { usage } = await observe(recording.options, [recording.body])
      t.ok(usage.identityHolds, recording.file)
      if (usage.promptTokens === 0) continue
      const parts = usage.promptTokens + usage.candidateTokens + usage.thoughtTokens + usage.toolUseTokens
      t.equal(parts, usage.totalTokens, recording.file)
      t.ok(usage.cachedTokens <= usage.promptTokens, `${recording.file}: cached is part of the prompt`)
    }
  })

  await t.test('breaks down by modality as recorded', async (t) => {
    for (const recording of recordings.filter(({ kind }) => kind !== 'interactions')) {
      const { usage } = await observe(recording.options, [recording.body])
      const last = documents(recording).findLast((piece) => piece.usageMetadata)?.usageMetadata ?? {}
      for (const [name, field] of details) {
        if (last[field] === undefined) continue
        const recorded = last[field] as Row[]
        t.equal(
          sum(usage.byModality[name]),
          recorded.reduce((total, row) => total + row.tokenCount, 0),
          recording.file,
        )
        t.same(Object.keys(usage.byModality[name]), [...new Set(recorded.map((row) => row.modality))], recording.file)
      }
    }
  })

  await t.test('tells its model, its id, its tier and its finish reasons', async (t) => {
    for (const recording of recordings.filter(({ kind }) => /enerateContent$/.test(kind))) {
      const pieces = documents(recording)
      const { finish, usage, events } = await observe(recording.options, [recording.body])
      t.equal(finish.modelVersion, pieces.find((piece) => piece.modelVersion)?.modelVersion, recording.file)
      t.equal(finish.responseId, pieces.find((piece) => piece.responseId)?.responseId, recording.file)
      t.equal(
        usage.serviceTier,
        pieces.findLast((piece) => piece.usageMetadata?.serviceTier)?.usageMetadata?.serviceTier,
      )
      t.equal(
        usage.trafficType,
        pieces.findLast((piece) => piece.usageMetadata?.trafficType)?.usageMetadata?.trafficType,
      )
      const candidates = pieces.flatMap((piece) => piece.candidates ?? [])
      const reasons = candidates.map((candidate) => candidate.finishReason).filter(Boolean)
      t.same(finish.finishReasons, reasons.slice(-1), recording.file)
      t.equal(
        finish.hasFunctionCall,
        candidates.some((candidate) => candidate.content?.parts?.some((part) => part.functionCall)),
        recording.file,
      )
      t.equal(events, pieces.length, recording.file)
    }
  })

  await t.test('counts the distinct search queries of grounded ones', async (t) => {
    let grounded = 0
    for (const recording of recordings.filter(({ kind }) => /enerateContent$/.test(kind))) {
      const queries = documents(recording)
        .flatMap((piece) => piece.candidates ?? [])
        .flatMap((candidate) => candidate.groundingMetadata?.webSearchQueries ?? [])
      const { usage } = await observe(recording.options, [recording.body])
      t.equal(usage.groundingQueries ?? 0, new Set(queries.filter(Boolean)).size, recording.file)
      if (queries.length > 0) grounded += 1
    }
    t.ok(grounded > 0, `${grounded} grounded recordings`)
  })

  await t.test('reads the same however it is cut', async (t) => {
    for (const recording of recordings.filter(({ options }) => options.framing !== 'unary')) {
      const whole = await observe(recording.options, [recording.body])
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat(recording.body.length), { maxLength: 40 }), async (positions) => {
          t.same(await observe(recording.options, cut(recording.body, positions)), whole)
        }),
        { numRuns: 5 },
      )
    }
    t.pass('all cuts agree')
  })

  await t.test('reads the same through gzip, as recorded and as packed here', async (t) => {
    let wires = 0
    for (const recording of recordings) {
      const { bytes: _, ...plain } = await observe(recording.options, [recording.body])
      const packed = { ...recording.options, contentEncoding: 'gzip' }
      const wire = recording.wire ?? gzipSync(recording.body)
      if (recording.wire) wires += 1
      const { bytes, ...observed } = await observe(packed, cut(wire, [1, wire.length >> 1]))
      t.same(observed, plain, recording.file)
      t.equal(bytes, wire.length)
    }
    t.ok(wires >= 20, `${wires} recordings have their wire bytes`)
  })
})

t.test('recorded errors are recognised', { skip: skipRecordings }, async (t) => {
  let failures = 0
  for (const recording of loadRecordings('raw', 'response-only')) {
    if (recording.status < 400) continue
    const { errorTail, complete } = await observe(recording.options, [recording.body])
    t.equal(errorTail?.code, recording.status, recording.file)
    t.match(errorTail?.status, /^[A-Z_]+$/, recording.file)
    t.notOk(complete)
    failures += 1
  }
  t.ok(failures > 20, `${failures} errors`)
})

t.test('a recorded failure in mid-stream is seen behind a finish reason', { skip: skipRecordings }, async (t) => {
  const recording = loadRecordings('response-only').find(({ body }) => /data:[\s\S]*\n\{\n {2}"error"/.test(`${body}`))
  if (recording === undefined) return t.fail('the fixture is gone')
  const observation = await observe(recording.options, [recording.body])
  t.match(observation, { complete: false, errorTail: { code: 499, status: 'CANCELLED' } })
  t.same(observation.finish.finishReasons, ['STOP'])
})
