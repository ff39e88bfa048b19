/** Prose out of nothing: sentences about the words of the prompt, the same for the same seed. */
import { between, createRandom, pick, type Random } from './random.ts'
import { textTokens } from './tokens.ts'

const openings = ['In short,', 'Put simply,', 'As a rule,', 'At its heart,', 'In practice,', 'Above all,']
const relations = [
  'depends on',
  'follows from',
  'goes together with',
  'is shaped by',
  'builds on',
  'is best explained by',
]
const circumstances = [
  'careful planning',
  'the context',
  'a small change',
  'shared practice',
  'the evidence',
  'experience',
  'good data',
  'the surroundings',
  'clear goals',
  'a few simple rules',
]
const closings = ['in most cases', 'over time', 'when it matters', 'as experience shows', 'for most people']
const frames: ((random: Random, one: string, other: string) => string)[] = [
  (random, one, other) => `what we call ${one} ${pick(random, relations)} ${other}`,
  (random, one) => `the part about ${one} ${pick(random, relations)} ${pick(random, circumstances)}`,
  (random, one, other) => `${one} and ${other} are two sides of ${pick(random, circumstances)}`,
  (random, one) => `when it comes to ${one}, look first at ${pick(random, circumstances)}`,
  (_, one, other) => `without ${one} there would be little to say about ${other}`,
]
const stop = new Set(
  'the and for that with this from what when where which who how why are was were have has does did can could would should please tell about into your you not but its explain give write using use answer question short sentence'.split(
    ' ',
  ),
)

/** Up to twelve telling words of a prompt, in order of appearance, as they were written. */
export function keywords(prompt: string): string[] {
  const found = new Map<string, string>()
  // a long prompt's end says what is asked
  for (const match of prompt.slice(-4000).matchAll(/[\p{L}\p{N}][\p{L}\p{N}'’-]*/gu)) {
    const key = match[0].toLowerCase()
    if (key.length < 3 || stop.has(key) || found.has(key)) continue
    found.set(key, match[0])
    if (found.size === 12) break
  }
  return [...found.values()]
}

/** About `tokens` tokens of sentences that speak of the prompt, in paragraphs of four. */
export function prose(prompt: string, tokens: number, seed: number): string {
  const random = createRandom(seed)
  const topics = keywords(prompt)
  if (topics.length === 0) topics.push('this question')
  const paragraphs: string[] = []
  let sentences: string[] = []
  for (let written = 0, index = 0; written < tokens; index++) {
    const next = sentence(random, topics, index)
    sentences.push(next)
    written += textTokens(next)
    if (sentences.length < 4) continue
    paragraphs.push(sentences.join(' '))
    sentences = []
  }
  if (sentences.length > 0) paragraphs.push(sentences.join(' '))
  return paragraphs.join('\n\n')
}

function sentence(random: Random, topics: string[], index: number): string {
  const one = topics[index % topics.length]!
  const other =
    topics.length > 1
      ? topics[(index + 1 + Math.floor(random() * (topics.length - 1))) % topics.length]!
      : pick(random, circumstances)
  const opening = index === 0 || random() < 0.2 ? `${pick(random, openings)} ` : ''
  const closing = random() < 0.3 ? ` ${pick(random, closings)}` : ''
  const text = `${opening}${pick(random, frames)(random, one, other)}${closing}.`
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** A heading and a sentence, as thought summaries look. */
export function thoughtSummary(prompt: string, seed: number): string {
  const random = createRandom(seed ^ 0x7407)
  const topic = keywords(prompt)[0] ?? 'the request'
  const heading = pick(random, ['Considering', 'Examining', 'Weighing', 'Clarifying'])
  const body = prose(prompt, between(random, 12, 40), seed ^ 0x7408)
  return `**${heading} ${topic.charAt(0).toUpperCase()}${topic.slice(1)}**\n\n${body}\n\n\n`
}

/** Splits text into pieces of about `tokens` tokens at spaces; joined they are the text again. */
export function pieces(text: string, tokens: number): string[] {
  const size = Math.max(1, tokens * 4)
  const found: string[] = []
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + size)
    if (end < text.length) {
      const space = text.indexOf(' ', end)
      end = space < 0 || space - end > size ? end : space + 1
      if (isLowSurrogate(text.charCodeAt(end))) end++
    }
    found.push(text.slice(start, end))
    start = end
  }
  return found
}

/** The longest beginning of at most `tokens` tokens, never half a surrogate pair. */
export function firstTokens(text: string, tokens: number): string {
  if (textTokens(text) <= tokens) return text
  let low = 0
  let high = text.length
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (textTokens(text.slice(0, middle)) <= tokens) low = middle
    else high = middle - 1
  }
  return text.slice(0, isLowSurrogate(text.charCodeAt(low)) ? low - 1 : low)
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff
}
