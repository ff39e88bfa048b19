// The files that the dashboard loads. Each has a hash of its content in its URL, so browsers may keep it for ever.
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire, findPackageJSON } from 'node:module'
import { dirname, join } from 'node:path'
import type { Endpoint, Reply } from '../endpoint.ts'

const own = (name: string): string =>
  join(dirname(findPackageJSON(import.meta.url) as string), 'src/admin/dashboard/static', name)
const uplot = (name: string): string => createRequire(import.meta.url).resolve(`uplot/dist/${name}`)

const files = {
  styles: { file: own('page.css'), type: 'text/css; charset=utf-8' },
  script: { file: own('page.js'), type: 'text/javascript; charset=utf-8' },
  chartStyles: { file: uplot('uPlot.min.css'), type: 'text/css; charset=utf-8' },
  chartScript: { file: uplot('uPlot.iife.min.js'), type: 'text/javascript; charset=utf-8' },
}

export type AssetName = keyof typeof files

interface Asset {
  /** below the prefix, with its slash */
  url: string
  type: string
  body: Buffer
}

let loaded: Record<AssetName, Asset> | null = null

/** The files, read once. */
function assets(): Record<AssetName, Asset> {
  loaded ??= Object.fromEntries(
    Object.entries(files).map(([name, { file, type }]) => [name, load(name, file, type)]),
  ) as
    // Built from the names of `files`.
    Record<AssetName, Asset>
  return loaded
}

function load(name: string, file: string, type: string): Asset {
  const body = readFileSync(file)
  const extension = file.slice(file.lastIndexOf('.'))
  return { url: `/assets/${name}-${hash('sha256', body).slice(0, 16)}${extension}`, type, body }
}

/** Where a page whose prefix is at `base` finds a file. */
export function assetUrl(name: AssetName, base: string): string {
  return base + assets()[name].url.slice(1)
}

/** The files hold no secret, and the sign-in page needs them. */
export function assetEndpoints(): Endpoint[] {
  return Object.values(assets()).map(({ url, type, body }) => {
    const headers = { 'content-type': type, 'cache-control': 'public, max-age=31536000, immutable' }
    const reply: Reply = { status: 200, headers, body }
    return { method: 'GET', url, access: 'open', bodyLimit: 0, answer: () => reply }
  })
}
