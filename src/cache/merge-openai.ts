/** OpenAI's chat completion and its chunks, each from the other. */
import { isRecord, type Json, records } from './json.ts'

/** The whole completion; undefined when a chunk carries a part whose joining is not known. */
export function mergeOpenai(chunks: Json[]): Json | undefined {
  const first = chunks[0]
  if (first === undefined) return undefined
  const choices = new Map<number, Json>()
  let usage: unknown
  for (const chunk of chunks) {
    usage = chunk.usage ?? usage
    for (const choice of records(chunk.choices)) if (!mergeChoice(choices, choice)) return undefined
  }
  const { choices: _, usage: __, object: ___, ...rest } = first
  return {
    choices: [...choices.values()],
    ...rest,
    object: 'chat.completion',
    ...(usage === undefined || usage === null ? {} : { usage }),
  }
}

function mergeChoice(choices: Map<number, Json>, choice: Json): boolean {
  const { delta, index, finish_reason, ...others } = choice
  if (Object.values(others).some((value) => value !== null)) return false
  const at = typeof index === 'number' ? index : 0
  const into = choices.get(at) ?? { finish_reason: null, index: at, message: { role: 'assistant', content: null } }
  choices.set(at, into)
  if (typeof finish_reason === 'string') into.finish_reason = finish_reason
  return !isRecord(delta) || !isRecord(into.message) || mergeDelta(into.message, delta)
}

function mergeDelta(message: Json, delta: Json): boolean {
  for (const [name, value] of Object.entries(delta)) {
    if (name === 'tool_calls') {
      if (!mergeCalls(message, records(value))) return false
    } else if (name === 'role' || message[name] === undefined || message[name] === null) message[name] = value
    else if (typeof value === 'string' && typeof message[name] === 'string') message[name] = `${message[name]}${value}`
    else if (value !== null) return false
  }
  return true
}

function mergeCalls(message: Json, calls: Json[]): boolean {
  const all = records(message.tool_calls)
  message.tool_calls = all
  for (const { index, function: part, ...call } of calls) {
    const at = typeof index === 'number' ? index : all.length
    if (at > all.length) return false
    const known = all[at]
    if (known === undefined) all[at] = { ...call, ...(part === undefined ? {} : { function: part }) }
    else {
      const fn = isRecord(known.function) ? known.function : {}
      const more = isRecord(part) ? part : {}
      const joined = `${typeof fn.arguments === 'string' ? fn.arguments : ''}${typeof more.arguments === 'string' ? more.arguments : ''}`
      all[at] = { ...known, ...call, function: { ...fn, ...more, arguments: joined } }
    }
  }
  return true
}

/** The chunks a stream would have had: one with all of each choice, the end of it, and the usage when asked for. */
export function splitOpenai(whole: Json, includeUsage: boolean): Json[] | undefined {
  const { choices, usage, object: _, ...rest } = whole
  const frame = (some: Json[]): Json => ({ choices: some, ...rest, object: 'chat.completion.chunk' })
  const chunks: Json[] = []
  for (const { message, finish_reason, index, ...others } of records(choices)) {
    if (!isRecord(message) || Object.values(others).some((value) => value !== null)) return undefined
    const { tool_calls, ...delta } = message
    const calls = records(tool_calls).map((call, at) => ({ index: at, ...call }))
    const whole = calls.length === 0 ? delta : { ...delta, tool_calls: calls }
    chunks.push(frame([{ delta: whole, finish_reason: finish_reason ?? null, index: index ?? 0 }]))
  }
  if (chunks.length === 0) return undefined
  if (includeUsage) {
    if (usage === undefined) return undefined
    chunks.push({ ...frame([]), usage })
  }
  return chunks
}
