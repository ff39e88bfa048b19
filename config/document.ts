import { type Document, type ErrorCode, LineCounter, parseDocument } from 'yaml'

/** Something wrong with the YAML itself, at an offset of the text. */
export interface SyntaxProblem {
  offset: number
  message: string
  fix: string
}

/** A parsed file: its document (possibly broken), what is wrong with it, and how offsets become lines. */
export interface ParsedFile {
  document: Document
  problems: SyntaxProblem[]
  lines: LineCounter
}

// The library's own messages quote the text, which may be a secret: only its codes are used.
const explanations: Partial<Record<ErrorCode, [message: string, fix: string]>> = {
  BAD_ALIAS: ['has an anchor or alias without a proper name', 'write &name and *name, or put the value in quotes'],
  BAD_DQ_ESCAPE: ['holds an unknown \\ escape', "use single quotes, where '\\' is an ordinary character"],
  BAD_INDENT: ['is indented wrongly', 'indent the lines of one section by the same number of spaces'],
  BAD_SCALAR_START: ['begins with a character that means something in YAML', 'put the value in quotes'],
  BLOCK_AS_IMPLICIT_KEY: ["has a second ': ' on one line", 'put the value in quotes, or each setting on its own line'],
  MISSING_CHAR: ['lacks a closing quote or bracket, or a colon', "close it, or add the ':' after the name"],
  MULTILINE_IMPLICIT_KEY: ["lacks a ':'", "write 'name: value'"],
  MULTIPLE_DOCS: ['holds a second document', "remove the '---' line"],
  NON_STRING_KEY: ['has a name that is not a text', 'use a plain word as the name of a setting'],
  RESOURCE_EXHAUSTION: ['is nested too deeply', 'settings need no more than six levels'],
  TAB_AS_INDENT: ['is indented with a tab', 'use spaces'],
  TAG_RESOLVE_FAILED: ['has a tag (a word beginning with !) that is not allowed', 'remove the tag'],
}

// One broken bracket can make the parser complain of every line after it.
const mostProblems = 20

/**
 * Parses one YAML 1.2 document. Duplicate names are left to the reader, which knows their paths; unknown tags are
 * problems, merge keys are off. At most `mostProblems` problems, the first of each line.
 */
export function parseFile(text: string): ParsedFile {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    stringKeys: true,
    resolveKnownTags: false,
    logLevel: 'error',
  })
  const problems = new Map<number, SyntaxProblem>()
  for (const { code, pos } of [...document.errors, ...document.warnings]) {
    const { line } = lines.linePos(pos[0])
    const [message, fix] = explanations[code] ?? [
      `is not valid YAML (${code})`,
      'check quotes, brackets and indentation',
    ]
    if (!problems.has(line) && problems.size < mostProblems) problems.set(line, { offset: pos[0], message, fix })
  }
  return { document, problems: [...problems.values()], lines }
}
