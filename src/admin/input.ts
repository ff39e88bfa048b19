// Reads what a caller of the admin API sent, against the schemas of its route. What nobody asked for is refused, never ignored: a
// misspelt `dasy=30` would otherwise be a report of the wrong days.
import { IsBoolean, IsInteger, IsNumber, type TObject, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import { nearest } from '../../config/suggest.ts'
import { GatewayError } from '../gemini/errors.ts'
import { jsonDepth } from '../gemini/peek.ts'

/**
 * The query as its schema types it: numbers and booleans read from their text.
 * @param search query with its `?`, or ''
 * @throws GatewayError CASTOR_BAD_PARAMETER naming the parameter
 */
export function readQuery(search: string, schema: TObject | undefined): Record<string, unknown> {
  const properties: Record<string, TSchema> = schema?.properties ?? {}
  const query: Record<string, unknown> = Object.create(null)
  for (const [name, text] of new URLSearchParams(search)) {
    if (!Object.hasOwn(properties, name)) throw unknownName('parameter', name, Object.keys(properties))
    if (name in query) throw bad(`The parameter ${name} is given twice.`, { field: name })
    query[name] = fromText(properties[name] as TSchema, text)
  }
  if (schema !== undefined) validate(schema, query, 'parameter')
  return query
}

/**
 * The JSON body as its schema types it; `{}` when none came.
 * @param contentType `Content-Type` of the request. Another type than JSON is refused, since a form of any web page can send those.
 * @param maxDepth deepest nesting
 * @throws GatewayError CASTOR_BAD_PARAMETER naming the field
 */
export function readJson(
  body: Buffer | undefined,
  contentType: string | undefined,
  schema: TSchema | undefined,
  maxDepth: number,
): unknown {
  const empty = body === undefined || body.length === 0
  if (schema === undefined) {
    if (empty || body.toString('latin1').trim() === '{}') return {}
    throw bad('This route takes no body.')
  }
  if (!empty && !/^application\/json\s*(?:;|$)/i.test(contentType ?? '')) {
    throw bad('The body must be JSON and say so: send it with "Content-Type: application/json".')
  }
  const value = empty ? {} : parse(body, maxDepth)
  validate(schema, value, 'field')
  return value
}

/**
 * The token of a sign-in: `token=…` of the dashboard's form, or `{"token": "…"}`.
 * @throws GatewayError CASTOR_BAD_PARAMETER
 */
export function readToken(body: Buffer | undefined, contentType: string | undefined): string {
  const isForm = /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(contentType ?? '')
  const token = isForm
    ? new URLSearchParams(body?.toString('utf8')).get('token')
    : (readJson(body, contentType, tokenBody, 1) as { token: string }).token
  if (token === null || token === '') throw bad('The field token is missing.', { field: 'token' })
  return token
}

const tokenBody = Type.Object({ token: Type.String({ maxLength: 4096 }) }, { additionalProperties: false })

/** The `:name` parts of a path. Throws CASTOR_BAD_PARAMETER for one that no id of ours looks like. */
export function readParams(params: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(params)) {
    if (!/^[\w.~-]{1,128}$/.test(value)) throw bad(`The ${name} in the path is not one of ours.`, { field: name })
  }
  return params
}

function parse(body: Buffer, maxDepth: number): unknown {
  if (jsonDepth(body, maxDepth)) throw bad(`The body is nested deeper than the ${maxDepth} levels that are read.`)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (cause) {
    throw bad('The body is not valid JSON in UTF-8.', { cause })
  }
  refusePrototypes(value)
  return value
}

/** JSON.parse makes `__proto__` an ordinary field, which becomes a prototype when somebody copies it by assignment. */
function refusePrototypes(value: unknown): void {
  const rest = [value]
  while (rest.length > 0) {
    const next = rest.pop()
    if (typeof next !== 'object' || next === null) continue
    if (Object.hasOwn(next, '__proto__')) throw bad('A field may not be called __proto__.')
    for (const child of Object.values(next)) rest.push(child)
  }
}

/** Text of a query in the type of its schema; what does not fit stays a text, and the schema refuses it. */
function fromText(schema: TSchema, text: string): unknown {
  if (IsBoolean(schema)) return text === 'true' ? true : text === 'false' ? false : text
  if ((IsInteger(schema) || IsNumber(schema)) && /^-?\d+(?:\.\d+)?$/.test(text)) return Number(text)
  return text
}

function validate(schema: TSchema, value: unknown, what: 'parameter' | 'field'): void {
  if (Value.Check(schema, value)) return
  const errors = Value.Errors(schema, value)
  // A misspelt name says more than that the right one is missing, or that its value fails the schema `false`.
  const error =
    errors.find(({ keyword }) => keyword === 'additionalProperties') ??
    errors.find(({ keyword }) => keyword !== 'boolean') ??
    errors[0]
  if (error === undefined) throw bad(`A ${what} is wrong.`)
  const at = fieldName(error.instancePath)
  if (error.keyword === 'additionalProperties') {
    const [name = ''] = error.params.additionalProperties
    const siblings = Object.keys((schemaAt(schema, error.schemaPath) as Partial<TObject>).properties ?? {})
    throw unknownName(what, at === '' ? name : `${at}.${name}`, siblings, name)
  }
  if (error.keyword === 'required') {
    const [name = ''] = error.params.requiredProperties
    const field = at === '' ? name : `${at}.${name}`
    throw bad(`The ${what} ${field} is missing.`, { field })
  }
  const subject = at === '' ? 'The body' : `The ${what} ${at}`
  throw bad(`${subject} ${error.message}${allowed(error.params)}.`, { field: at })
}

function allowed(params: object): string {
  const { allowedValues } = params as { allowedValues?: unknown[] }
  return allowedValues === undefined ? '' : `: ${allowedValues.map((value) => JSON.stringify(value)).join(', ')}`
}

/** The part of a schema at a path such as `#/properties/n/items`. */
function schemaAt(schema: TSchema, path: string): unknown {
  let at: unknown = schema
  for (const step of path.split('/').slice(1)) at = (at as Record<string, unknown> | undefined)?.[step]
  return at ?? {}
}

/** `/requests/0/id` as people write it: `requests[0].id`. */
function fieldName(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((name, step) => (/^\d+$/.test(step) ? `${name}[${step}]` : name === '' ? step : `${name}.${step}`), '')
}

function unknownName(what: string, shown: string, known: string[], name = shown): GatewayError {
  const guess = nearest(name, known)
  const hint =
    guess !== undefined
      ? ` Did you mean ${guess}?`
      : known.length > 0
        ? ` Known: ${known.join(', ')}.`
        : ` This route takes none.`
  return bad(`There is no ${what} ${printable(shown)}.${hint}`, { field: printable(shown).slice(1, -1) })
}

/** A name that came from outside, short and without characters that a terminal would obey. */
function printable(name: string): string {
  const plain = name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '')
  return JSON.stringify(plain.length > 80 ? `${plain.slice(0, 79)}…` : plain)
}

function bad(message: string, { field, cause }: { field?: string; cause?: unknown } = {}): GatewayError {
  const violations = field === undefined || field === '' ? [] : [{ field, description: message }]
  return new GatewayError('CASTOR_BAD_PARAMETER', message, { cause, violations })
}
