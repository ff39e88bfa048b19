import { readFileSync } from 'node:fs'

/** What `${…}` became. */
export interface Interpolated {
  text: string
  /** Names of the environment variables and files that were read, as written; empty when the text had none. */
  sources: string[]
}

/** A `${…}` that cannot be filled. The message names the variable or file, never a value. */
export class InterpolationError extends Error {
  readonly fix: string

  constructor(message: string, fix: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'InterpolationError'
    this.fix = fix
  }
}

const longestSecretFile = 64 * 1024

/**
 * Fills `${NAME}`, `${NAME:-default}` (the default may hold further `${…}`) and `${file:/path}` (without its last line end);
 * `$${` stands for a literal `${`. As in a shell, `:-` also replaces an empty variable. What was filled in is never
 * looked at again, so a value cannot read other variables. Throws InterpolationError.
 */
export function interpolate(text: string, env: Record<string, string | undefined>): Interpolated {
  const sources: string[] = []
  return { text: fill(text), sources }

  function fill(part: string): string {
    let result = ''
    let at = 0
    while (at < part.length) {
      const start = part.indexOf('${', at)
      if (start < 0) break
      if (start > at && part[start - 1] === '$') {
        result += `${part.slice(at, start - 1)}\${`
        at = start + 2
        continue
      }
      const end = closing(part, start + 2)
      result += part.slice(at, start) + reference(part.slice(start + 2, end))
      at = end + 1
    }
    return result + part.slice(at)
  }

  function reference(inside: string): string {
    if (inside.startsWith('file:')) return secretFile(inside.slice(5).trim(), sources)
    const [, name, fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/.exec(inside) ?? []
    if (name === undefined) {
      throw new InterpolationError(
        `holds a \${…} that is none of the known forms`,
        `write \${NAME}, \${NAME:-default} or \${file:/path}; $\${ for a literal \${`,
      )
    }
    const value = Object.hasOwn(env, name) ? env[name] : undefined
    if (value !== undefined && (value !== '' || fallback === undefined)) {
      sources.push(name)
      return value
    }
    if (fallback !== undefined) return fill(fallback)
    throw new InterpolationError(
      `needs the environment variable ${name}, which is not set`,
      `set ${name}, or write \${${name}:-default}`,
    )
  }
}

/** The position of the brace that closes the one before `from`, counting nested `${`. */
function closing(text: string, from: number): number {
  let depth = 1
  for (let at = from; at < text.length; at++) {
    if (text.startsWith('${', at)) depth++
    else if (text[at] === '}' && --depth === 0) return at
  }
  throw new InterpolationError(`holds a '\${' without its '}'`, `add the missing '}'; $\${ stands for a literal \${`)
}

function secretFile(path: string, sources: string[]): string {
  try {
    const content = readFileSync(path, 'utf8')
    if (content.length > longestSecretFile) throw new RangeError('larger than 64 KiB')
    sources.push(`file:${path}`)
    return content.replace(/\r?\n$/, '')
  } catch (cause) {
    const reason = cause instanceof RangeError ? cause.message : ((cause as NodeJS.ErrnoException).code ?? 'unreadable')
    throw new InterpolationError(
      `needs the file ${path}, which cannot be read (${reason})`,
      'check that it exists and may be read by the user of the gateway',
      { cause },
    )
  }
}
