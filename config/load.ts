import { readFileSync } from 'node:fs'
import { parseFile } from './document.ts'
import { ConfigError, type Problem, printable } from './problem.ts'
import { readSettings } from './read.ts'
import { conflicts } from './rules.ts'
import { type Config, configSchema } from './schema.ts'
import { asTree } from './tree.ts'

export { ConfigError, type Problem } from './problem.ts'

/**
 * Where settings come from. `text` is used when given, and `file` then only names it in messages; without both, the
 * defaults and the environment decide.
 */
export interface ConfigSource {
  file?: string
  text?: string
  env: Record<string, string | undefined>
}

const largestFile = 4_000_000

/**
 * The complete settings, checked one by one and together, durations in milliseconds and sizes in bytes.
 * Throws ConfigError with every problem at once; none of them quotes a secret.
 */
export function loadConfig({ file, text, env }: ConfigSource): Config {
  const name = file ?? 'settings'
  const problems: Problem[] = []
  const origins = new Map<string, { offset: number | undefined; sources: string[] }>()
  const { document, lines, problems: syntax } = parseFile(text ?? (file === undefined ? '' : readText(file)))

  // Half a tree would only yield problems that are none.
  for (const { offset, message, fix } of syntax) complain('', offset, message, fix)
  if (problems.length > 0) throw new ConfigError(problems)

  const tree = asTree(document, complain, (offset) => lines.linePos(offset).line)
  const listener = {
    complain,
    found: (path: string, offset: number | undefined, sources: string[]) => origins.set(path, { offset, sources }),
  }
  // The walk builds exactly the shape of the schema; test/config.test.ts checks it against the schema itself.
  const config = readSettings(configSchema, tree, env, listener) as Config

  const wrong = problems.map(({ path }) => path)
  for (const { paths, message, fix } of conflicts(config)) {
    // A setting that is wrong in itself was replaced by its default: nothing can be said about it and others.
    if (paths.some((path) => wrong.some((other) => touches(path, other)))) continue
    const place =
      origin(paths[0]) ??
      paths
        .slice(1)
        .map(origin)
        .find((other) => other?.offset !== undefined)
    const from = origins.get(paths[0])?.sources ?? []
    complain(paths[0], place?.offset, from.length > 0 ? `${message} (set by ${from.join(', ')})` : message, fix)
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return config

  function complain(path: string, offset: number | undefined, message: string, fix: string): void {
    const { line, col: column } = offset === undefined ? { line: 0, col: 0 } : lines.linePos(offset)
    problems.push({ file: name, line, column, path: printable(path), message: printable(message), fix })
  }

  /** The place of a setting, or of the nearest section around it that is in the file. */
  function origin(path: string): { offset: number | undefined } | undefined {
    for (let at = path; at !== ''; at = at.replace(/(?:\.|^)[^.[]+$|\[\d+\]$/, '')) {
      const known = origins.get(at)
      if (known) return known
    }
    return undefined
  }
}

function touches(path: string, other: string): boolean {
  return within(path, other) || within(other, path)
}

function within(inner: string, outer: string): boolean {
  return inner === outer || (inner.startsWith(outer) && /^[.[]/.test(inner.slice(outer.length)))
}

function readText(file: string): string {
  let content: string
  try {
    content = readFileSync(file, 'utf8')
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unreadable'
    throw fileError(file, `cannot be read (${reason})`, 'check the path, and that the user of the gateway may read it')
  }
  if (content.length > largestFile) throw fileError(file, 'is larger than 4 MB', 'check that it is the right file')
  return content
}

function fileError(file: string, message: string, fix: string): ConfigError {
  return new ConfigError([{ file, line: 0, column: 0, path: '', message, fix }])
}
