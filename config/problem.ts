/** One thing that is wrong with the settings. `line` and `column` count from 1; 0 where the file has no such place. */
export interface Problem {
  file: string
  line: number
  column: number
  /** The setting, as in `clients[0].name`; empty when the whole file is meant. */
  path: string
  message: string
  fix: string
}

/** Settings that cannot be used. Holds every problem, in the order of the file; its message is for people. No secrets in it. */
export class ConfigError extends Error {
  readonly problems: Problem[]

  constructor(problems: Problem[]) {
    const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
    super(render(sorted))
    this.name = 'ConfigError'
    this.problems = sorted
  }
}

function render(problems: Problem[]): string {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
  return [`${problems[0]?.file ?? 'settings'} has ${count}:`, ...problems.map(renderOne)].join('\n')
}

function renderOne({ file, line, column, path, message, fix }: Problem): string {
  const where = line > 0 ? `${file}:${line}:${column}` : file
  return `  ${where}  ${path === '' ? '' : `${path}: `}${message}\n      → ${fix}`
}

/** A value for a message, shortened. */
export function quote(value: unknown): string {
  const whole = JSON.stringify(value) ?? 'nothing'
  return whole.length > 60 ? `${whole.slice(0, 57)}…` : whole
}

/** A text in which control and direction characters are escaped, so that it cannot forge lines or colours of a terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)
}
