/** Compares what memory would have answered with what Gemini did: shadow mode's proof, or its warning. */
import { documents, type Form } from './convert.ts'
import { isRecord, type Json, records } from './json.ts'

/** `unread`: one of the two could not be read, so nothing is known. */
export type Agreement = 'agreed' | 'differed' | 'unread'

/**
 * Whether two answers say the same: the same text and function calls from every candidate, whatever their framing, or for
 * embeddings and counts the same values. Ids, times, usage and log probabilities differ between any two answers.
 */
export function agreement(one: { body: Buffer; form: Form }, other: { body: Buffer; form: Form }): Agreement {
  if (one.body.equals(other.body)) return 'agreed'
  const said = saying(one.body, one.form)
  const also = saying(other.body, other.form)
  if (said === undefined || also === undefined) return 'unread'
  return said === also ? 'agreed' : 'differed'
}

function saying(body: Buffer, { dialect, framing }: Form): string | undefined {
  let all: Json[] | undefined
  try {
    all = documents(body, framing)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  if (all === undefined) return undefined
  const candidates = new Map<number, Said>()
  for (const document of all) {
    if (dialect === 'openai') for (const choice of records(document.choices)) hearChoice(candidates, choice)
    else for (const candidate of records(document.candidates)) hearCandidate(candidates, candidate)
  }
  if (candidates.size > 0) return JSON.stringify([...candidates].sort(([a], [b]) => a - b))
  return JSON.stringify(all.map(({ usageMetadata: _, usage: __, id: ___, created: ____, ...rest }) => rest))
}

/** Text, and what is asked of the client. */
type Said = { text: string; rest: unknown[] }

function of(candidates: Map<number, Said>, index: unknown): Said {
  const at = typeof index === 'number' ? index : 0
  let said = candidates.get(at)
  if (said === undefined) {
    said = { text: '', rest: [] }
    candidates.set(at, said)
  }
  return said
}

function hearCandidate(candidates: Map<number, Said>, candidate: Json): void {
  const said = of(candidates, candidate.index)
  const content = isRecord(candidate.content) ? candidate.content : {}
  for (const { thoughtSignature: _, ...part } of records(content.parts)) {
    // Thoughts lead to the answer; they are not it.
    if (part.thought === true) continue
    if (typeof part.text === 'string') said.text += part.text
    else if (isRecord(part.functionCall)) {
      const { id: __, ...call } = part.functionCall
      said.rest.push(call)
    } else said.rest.push(part)
  }
}

function hearChoice(candidates: Map<number, Said>, choice: Json): void {
  const said = of(candidates, choice.index)
  const { message, delta } = choice
  const content: Json = isRecord(message) ? message : isRecord(delta) ? delta : {}
  if (typeof content.content === 'string') said.text += content.content
  for (const call of records(content.tool_calls)) said.rest.push(call.function)
}
