import type { Config } from '../../config/schema.ts'
import type { Target } from '../gemini/target.ts'

/** Google's own host of the Gemini API. */
export const geminiHost = 'generativelanguage.googleapis.com'

export interface Origin {
  /** scheme, host and port */
  origin: string
  /** path of a configured base URL that goes before every request's path, '' for none */
  prefix: string
}

/**
 * Makes the function that tells where a target lives. Only settings and the location segment of a Vertex path decide, and the latter only
 * among Google's own hosts: nothing a client sends can name a host.
 */
export function createOrigins(settings: Pick<Config['upstream'], 'url' | 'vertexUrl'>): (target: Target) => Origin {
  const gemini = readOrigin(settings.url)
  const vertex = settings.vertexUrl === '' ? null : readOrigin(settings.vertexUrl)
  const isGoogle = new URL(settings.url).hostname === geminiHost
  return (target) => {
    if (target.vertexLocation === null) return gemini
    if (vertex !== null) return vertex
    return isGoogle ? vertexOrigin(target.vertexLocation) : gemini
  }
}

function readOrigin(url: string): Origin {
  const { origin, pathname } = new URL(url)
  return { origin, prefix: pathname.replace(/\/+$/, '') }
}

/** Regional, multi-regional (`us`, `eu`) and global hosts of Vertex AI. */
function vertexOrigin(location: string): Origin {
  const name = /^[a-z]+(?:-[a-z0-9]+)*$/.test(location) ? location : 'global'
  if (name === 'global') return { origin: 'https://aiplatform.googleapis.com', prefix: '' }
  if (name === 'us' || name === 'eu') return { origin: `https://aiplatform.${name}.rep.googleapis.com`, prefix: '' }
  return { origin: `https://${name}-aiplatform.googleapis.com`, prefix: '' }
}
