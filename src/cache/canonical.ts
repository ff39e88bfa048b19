/**
 * The canonical form of a request body: two bodies have the same one exactly if Gemini is asked the same thing.
 * One pass over the text, without recursion: a body is a stranger's, and so is its depth.
 */
import { scalar, scalarEnd, skip, stringEnd } from './lex.ts'
import { batchEmbed, chat, count, embed, embeddings, generate, unknown } from './requests.ts'
import { type Field, type Message, ordered, type Shape } from './shapes.ts'

/** Deeper bodies are not cached. Google's own parser stops at 100. */
export const MAX_DEPTH = 64

export type Canonical =
  /** `lifted` holds the fields that choose the framing of an OpenAI answer (stream, stream_options), out of the body. */
  { ok: true; text: string; lifted: string } | { ok: false; reason: Unreadable }

export type Unreadable = 'encoding' | 'syntax' | 'depth' | 'ambiguous'

/** A container under construction. */
type Frame = {
  array: boolean
  /** The object's own shape; in an array, that of its elements. */
  shape: Shape
  /** The field whose value comes next, when the frame is a message. */
  field: Field | undefined
  name: string
  entries: Array<[name: string, text: string]>
  items: string[]
  seen: Set<string>
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const shapes: Record<string, Message> = {
  generateContent: generate,
  streamGenerateContent: generate,
  countTokens: count,
  embedContent: embed,
  batchEmbedContents: batchEmbed,
  'chat.completions': chat,
  embeddings,
}

/**
 * @param body the request as it came: UTF-8 JSON
 * @param operation the verb of the path (`generateContent`), or `chat.completions`, `embeddings` on the OpenAI surface
 * @param model the model of the path: a body that names it again says nothing new
 * @returns canonical JSON text, or why there is none: not UTF-8, not JSON, deeper than 64, or a name given twice
 */
export function canonical(body: Uint8Array, operation: string, model = ''): Canonical {
  let text: string
  try {
    text = decoder.decode(body)
  } catch {
    // Two different invalid byte sequences would decode to one replacement character.
    return { ok: false, reason: 'encoding' }
  }
  try {
    return fold(text, shapes[operation] ?? unknown, bare(model))
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, reason: error.reason }
    if (error instanceof SyntaxError) return { ok: false, reason: 'syntax' }
    throw error
  }
}

class Refusal extends Error {
  readonly reason: Unreadable
  constructor(reason: Unreadable) {
    super(reason)
    this.reason = reason
  }
}

function fold(text: string, root: Shape, model: string): Canonical {
  const stack: Frame[] = []
  let at = skip(text, 0)
  let shape: Shape = root
  let lifted = ''

  for (;;) {
    // One value begins at `at`, of the shape `shape`.
    const opener = text[at]
    let value: string
    if (opener === '{' || opener === '[') {
      if (stack.length >= MAX_DEPTH) throw new Refusal('depth')
      const frame = open(opener === '[', shape)
      at = skip(text, at + 1)
      stack.push(frame)
      if (text[at] === (frame.array ? ']' : '}')) {
        at++
        stack.pop()
        value = close(frame, stack.at(-1))
      } else {
        if (!frame.array) at = readName(text, at, frame)
        shape = inner(frame)
        continue
      }
    } else {
      const end = scalarEnd(text, at)
      value = scalar(text, at, end)
      at = end
    }

    // A value ended: give it to its container, and close the containers that end with it.
    for (;;) {
      at = skip(text, at)
      const frame = stack.at(-1)
      if (frame === undefined) {
        if (at !== text.length) throw new Refusal('syntax')
        return { ok: true, text: value, lifted }
      }
      const isFraming =
        stack.length === 1 && root === chat && (frame.name === 'stream' || frame.name === 'stream_options')
      if (isFraming && !frame.array) lifted = lift(lifted, frame.name, value)
      else keep(frame, value, model)
      const next = text[at]
      if (next === ',') {
        at = skip(text, at + 1)
        if (!frame.array) at = readName(text, at, frame)
        shape = inner(frame)
        break
      }
      if (next !== (frame.array ? ']' : '}')) throw new Refusal('syntax')
      at++
      stack.pop()
      value = close(frame, stack.at(-1))
    }
  }
}

function open(array: boolean, shape: Shape): Frame {
  return { array, shape, field: undefined, name: '', entries: [], items: [], seen: new Set() }
}

/** The shape of the value that comes next in a frame. */
function inner(frame: Frame): Shape {
  const { shape } = frame
  if (frame.array) return shape
  switch (shape.kind) {
    case 'message':
      return frame.field?.shape() ?? ordered
    case 'map':
      return shape.of()
    case 'plain':
      return ordered
    default:
      return shape
  }
}

/** Reads `"name":` and returns where the value begins. */
function readName(text: string, at: number, frame: Frame): number {
  if (text[at] !== '"') throw new Refusal('syntax')
  const end = stringEnd(text, at)
  const quoted = scalar(text, at, end)
  let name: string = quoted.includes('\\') ? JSON.parse(quoted) : quoted.slice(1, -1)
  if (frame.shape.kind === 'message') {
    name = frame.shape.spellings.get(name) ?? name
    frame.field = frame.shape.fields.get(name)
  }
  // Which of two equal names counts is the parser's choice, and we do not know Google's.
  if (frame.seen.has(name)) throw new Refusal('ambiguous')
  frame.seen.add(name)
  frame.name = name
  const colon = skip(text, end)
  if (text[colon] !== ':') throw new Refusal('syntax')
  return skip(text, colon + 1)
}

function keep(frame: Frame, value: string, model: string): void {
  if (frame.array) {
    frame.items.push(value)
    return
  }
  const { field, shape } = frame
  let text = value
  if (shape.kind === 'message' && field !== undefined) {
    if (field.dropped) return
    if (shape.proto && !field.valued && (value === 'null' || (field.repeated && value === '[]'))) return
    if (field.lenient && value.startsWith('{')) text = `[${value}]`
    // The path has chosen the model (SDKs repeat it inside batchEmbedContents and countTokens).
    if (shape.proto && frame.name === 'model' && model !== '' && bare(unquote(value)) === model) return
  }
  frame.entries.push([frame.name, text])
}

function close(frame: Frame, parent: Frame | undefined): string {
  if (frame.array) {
    // A single turn without a role is the user's (recorded); only there, since longer histories need their roles.
    const [turn = ''] = frame.items
    const isLoneTurn = frame.items.length === 1 && parent?.shape === generate && parent.name === 'contents'
    if (isLoneTurn && turn.startsWith('{"parts":[') && turn.endsWith(']}'))
      return `[${turn.slice(0, -1)},"role":"user"}]`
    return `[${frame.items.join(',')}]`
  }
  const { shape, entries } = frame
  if (shape.kind === 'message' || shape.kind === 'struct') {
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  }
  return `{${entries.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`
}

/** `stream: false` and an absent `stream` are one; the rest is kept in a fixed order. */
function lift(lifted: string, name: string, value: string): string {
  if (name === 'stream' && (value === 'false' || value === 'null')) return lifted
  if (name === 'stream_options' && value === 'null') return lifted
  const both = `${name}:${value}`
  return name === 'stream' ? both + (lifted === '' ? '' : `,${lifted}`) : lifted + (lifted === '' ? '' : ',') + both
}

function unquote(value: string): string {
  return value.startsWith('"') ? String(JSON.parse(value)) : ''
}

/** `models/gemini-x` and `gemini-x` name one model. */
function bare(model: string): string {
  return model.startsWith('models/') ? model.slice('models/'.length) : model
}
