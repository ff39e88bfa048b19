import type { Conflict } from './rules.ts'
import type { Config } from './schema.ts'

/** Chains that lead back to where they began, or that no call can ever reach. */
export function chainRules({ fallback }: Pick<Config, 'fallback'>): Conflict[] {
  const found: Conflict[] = []
  let open: string | null = null
  fallback.chains.forEach(({ models, interactions, tags, steps }, index) => {
    const path = `fallback.chains[${index}]`
    if (open !== null) {
      const message = `can never be used: ${open} has no condition and takes every call before`
      found.push({ paths: [path, open], message, fix: `move it before ${open}, or give that one a condition` })
    }
    if (models.length === 0 && interactions.length === 0 && tags.length === 0) open ??= path
    steps.forEach((step, position) => {
      const here = `${path}.steps[${position}]`
      if (models.includes(step)) {
        const message = 'is the model that it stands in for, so the chain leads back to where it began'
        found.push({ paths: [here, `${path}.models`], message, fix: 'name another model' })
      }
      const first = steps.indexOf(step)
      if (first < position) {
        const message = 'has been asked before in this chain'
        found.push({ paths: [here, `${path}.steps[${first}]`], message, fix: 'leave it out' })
      }
    })
  })
  return found
}
