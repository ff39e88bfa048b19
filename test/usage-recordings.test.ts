import { calcPrice } from '@pydantic/genai-prices'
import t from 'tap'
import { addMeasures, measureNames, measuresOf, noMeasures } from '../src/usage/measure.ts'
import { observe } from './gemini-observing.ts'
import { loadRecordings, type Recording, skipRecordings } from './gemini-recordings.ts'
import { eventsOf, noon, openLedger } from './usage-traffic.ts'

interface Metadata {
  promptTokenCount?: number
  cachedContentTokenCount?: number
  candidatesTokenCount?: number
  thoughtsTokenCount?: number
  toolUsePromptTokenCount?: number
  promptTokensDetails?: { modality: string | number; tokenCount?: number }[]
}

interface Chunk {
  usageMetadata?: Metadata
  modelVersion?: string
  candidates?: { finishReason?: unknown }[]
}

/** What the recording used, by plain JSON.parse and nothing of Castor's: each field from the last chunk that has it. */
function recomputed({ body, options }: Recording): { usage: Metadata; model: string } | null {
  const text = body.toString()
  const chunks: Chunk[] =
    options.framing === 'sse'
      ? text
          .split(/\r?\n\r?\n/)
          .filter((event) => event.startsWith('data: {'))
          .map((event) => JSON.parse(event.slice(6)))
      : [JSON.parse(text)].flat()
  const ends = chunks.filter((chunk) => chunk.candidates?.some((candidate) => candidate.finishReason))
  const ordered = [...chunks.filter((chunk) => chunk.usageMetadata), ...ends.filter((chunk) => chunk.usageMetadata)]
  if (ordered.length === 0) return null
  const usage: Metadata = Object.assign({}, ...ordered.map((chunk) => chunk.usageMetadata))
  return { usage, model: chunks.findLast((chunk) => chunk.modelVersion)?.modelVersion ?? '' }
}

/** The library's own arithmetic, in USD: an oracle that shares nothing with cost.ts but the table. */
function libraryPrice(usage: Metadata, model: string): number | null {
  const audio = usage.promptTokensDetails?.find(({ modality }) => modality === 'AUDIO')?.tokenCount ?? 0
  const price = calcPrice(
    {
      input_tokens: (usage.promptTokenCount ?? 0) + (usage.toolUsePromptTokenCount ?? 0),
      cache_read_tokens: usage.cachedContentTokenCount ?? 0,
      output_tokens: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
      ...(audio > 0 ? { input_audio_tokens: audio } : {}),
    },
    model,
    { providerId: 'google', timestamp: new Date(noon) },
  )
  return price?.total_price ?? null
}

const generated = new Set(['generateContent', 'streamGenerateContent'])

t.test('every recording is booked to the last token and to the cent', { skip: skipRecordings }, async (t) => {
  const ledger = openLedger()
  const expected = noMeasures()
  const sum = { prompt: 0, cached: 0, candidates: 0, thoughts: 0, toolUse: 0, usd: 0, priced: 0, seen: 0 }
  const wrong: string[] = []
  for (const recording of loadRecordings('raw', 'reserialized')) {
    if (recording.status !== 200 || !generated.has(recording.kind)) continue
    const truth = recomputed(recording)
    if (!truth) continue
    sum.seen += 1
    const { usage, finish } = await observe(recording.options, [recording.body])
    const [event] = eventsOf({
      operation: recording.kind,
      model: 'asked',
      attempts: [{ usage, ...(finish.modelVersion ? { modelServed: finish.modelVersion } : {}) }],
    })
    if (!event) throw new Error('nothing was booked')
    ledger.record(event)
    addMeasures(expected, measuresOf(event))
    const own = event.tokens
    const same =
      own.prompt === (truth.usage.promptTokenCount ?? 0) &&
      own.cached === (truth.usage.cachedContentTokenCount ?? 0) &&
      own.candidates === (truth.usage.candidatesTokenCount ?? 0) &&
      own.thoughts === (truth.usage.thoughtsTokenCount ?? 0) &&
      own.toolUse === (truth.usage.toolUsePromptTokenCount ?? 0)
    if (!same) wrong.push(`${recording.file}: ${JSON.stringify(own)} is not ${JSON.stringify(truth.usage)}`)
    sum.prompt += truth.usage.promptTokenCount ?? 0
    sum.cached += truth.usage.cachedContentTokenCount ?? 0
    sum.candidates += truth.usage.candidatesTokenCount ?? 0
    sum.thoughts += truth.usage.thoughtsTokenCount ?? 0
    sum.toolUse += truth.usage.toolUsePromptTokenCount ?? 0
    const usd = truth.model === '' ? null : libraryPrice(truth.usage, truth.model)
    if (usd === null) continue
    sum.usd += usd
    sum.priced += 1
    // Grounding and image output are ours alone: the library is not told of them here.
    const plain = ((event.cost?.total ?? Number.NaN) - (event.cost?.grounding ?? 0)) / 1e9
    if (event.tokens.outputImage === 0 && Math.abs(plain - usd) > 1e-9)
      wrong.push(`${recording.file}: $${plain} is not $${usd}`)
  }
  t.same(wrong, [])
  t.ok(sum.seen > 280, `${sum.seen} recordings`)
  t.ok(sum.priced > 200, `${sum.priced} with a price`)

  const [total] = await ledger.read({ fromMs: noon - 1, toMs: noon + 1, by: 'day' })
  t.match(total?.measures, {
    calls: sum.seen,
    prompt: sum.prompt,
    cached: sum.cached,
    candidates: sum.candidates,
    thoughts: sum.thoughts,
    toolUse: sum.toolUse,
  })
  for (const name of measureNames) t.equal(total?.measures[name], expected[name], name)
  await ledger.close()
})
