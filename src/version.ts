import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'

/** Version of this package, from its package.json; the same from source and from the published build. */
export const version: string = (
  JSON.parse(readFileSync(findPackageJSON(import.meta.url) as string, 'utf8')) as { version: string }
).version
