import { accessSync, constants } from 'node:fs'
import { isIP } from 'node:net'
import { parseDuration, parseSize } from './units.ts'

/** A scalar as YAML gives it. */
export type Scalar = string | number | boolean

interface Kind {
  /** What a wrong value is not: completes "5x is not …". */
  noun: string
  /** What a person should write instead of a wrong value: completes "write …". */
  expects: string
  /** The value in the form the program uses (milliseconds, bytes, …), or undefined when the scalar is not of this kind. */
  parse: (scalar: Scalar) => Scalar | undefined
}

/**
 * Every kind of scalar a setting can be. A new kind is one entry here and one builder in setting.ts.
 * Text forms of numbers and booleans are taken too, because that is what `${ENV}` yields.
 */
export const kinds = {
  text: { noun: 'a text', expects: 'a text (in quotes if it looks like a number or true/false)', parse: asText },
  file: {
    noun: 'a file that can be read',
    expects: 'the path of a file that the user of the gateway may read',
    parse: (scalar) => (typeof scalar === 'string' && (scalar === '' || isReadable(scalar)) ? scalar : undefined),
  },
  path: { noun: 'a text', expects: 'a file path', parse: asText },
  flag: {
    noun: 'true or false',
    expects: 'true or false',
    parse: (scalar) => (scalar === 'true' ? true : scalar === 'false' ? false : asBoolean(scalar)),
  },
  integer: {
    noun: 'a whole number',
    expects: 'a whole number',
    parse: (scalar) => {
      const number = typeof scalar === 'string' && /^-?\d+$/.test(scalar) ? Number(scalar) : scalar
      return Number.isSafeInteger(number) ? number : undefined
    },
  },
  decimal: {
    noun: 'a number',
    expects: 'a number such as 0.001 or 25',
    parse: (scalar) => {
      const number = typeof scalar === 'string' && /^\d+(?:\.\d+)?$/.test(scalar) ? Number(scalar) : scalar
      return typeof number === 'number' && Number.isFinite(number) ? number : undefined
    },
  },
  duration: {
    noun: 'a duration',
    expects: 'a duration with its unit, such as 500ms, 5s, 2m30s, 1.5h or 7d',
    parse: (scalar) => (typeof scalar === 'boolean' ? undefined : parseDuration(String(scalar))),
  },
  size: {
    noun: 'a size',
    expects: 'a size with its unit, such as 512KB, 20MB or 1GiB',
    parse: (scalar) => (typeof scalar === 'boolean' ? undefined : parseSize(String(scalar))),
  },
  httpUrl: {
    noun: 'an http(s) address',
    expects: "an address such as https://example.com, without user, password, '?' or '#'",
    parse: (scalar) => baseUrl(scalar, ['http:', 'https:']),
  },
  redisUrl: {
    noun: 'a Redis address',
    expects: 'a Redis address such as redis://localhost:6379 or rediss://:password@host:6380/0',
    parse: redisUrl,
  },
  prefix: {
    noun: 'a path prefix',
    expects: "a path such as /gemini, starting with '/' and made of letters, digits and . _ ~ -",
    parse: (scalar) => {
      if (typeof scalar !== 'string' || !/^(?:\/[\w.~-]+)*\/?$/.test(scalar)) return undefined
      return /(?:^|\/)\.{1,2}(?:\/|$)/.test(scalar) ? undefined : scalar.replace(/\/$/, '')
    },
  },
  address: {
    noun: 'an IP address or range',
    expects: 'an IP address or a range such as 10.0.0.0/8 (or loopback, linklocal, uniquelocal)',
    parse: (scalar) => (typeof scalar === 'string' && isAddress(scalar) ? scalar : undefined),
  },
} satisfies Record<string, Kind>

export type KindName = keyof typeof kinds

function asText(scalar: Scalar): string | undefined {
  return typeof scalar === 'string' ? scalar : undefined
}

function asBoolean(scalar: Scalar): boolean | undefined {
  return typeof scalar === 'boolean' ? scalar : undefined
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return true
  } catch {
    // Whatever the reason, the caller says that it cannot be read.
    return false
  }
}

/** A base URL without its trailing slash; empty stays empty (the setting says what empty means). */
function baseUrl(scalar: Scalar, protocols: string[]): string | undefined {
  if (scalar === '') return ''
  if (typeof scalar !== 'string' || /[\s?#\\]/.test(scalar) || !URL.canParse(scalar)) return undefined
  const url = new URL(scalar)
  if (!protocols.includes(url.protocol) || !/^https?:\/\/[^/]/i.test(scalar)) return undefined
  if (url.username !== '' || url.password !== '') return undefined
  return url.origin + url.pathname.replace(/\/+$/, '')
}

function redisUrl(scalar: Scalar): string | undefined {
  if (scalar === '') return ''
  if (typeof scalar !== 'string' || !/^rediss?:\/\/[^\s/]/.test(scalar) || !URL.canParse(scalar)) return undefined
  return new URL(scalar).hostname === '' ? undefined : scalar
}

/** The forms Fastify's trustProxy takes (proxy-addr): an address, a CIDR range or one of its three names. */
function isAddress(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true
  const [address, bits, ...rest] = text.split('/')
  const version = isIP(address ?? '')
  if (version === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}
