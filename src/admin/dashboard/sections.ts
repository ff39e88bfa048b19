// The dashboard from top to bottom: what is, what it costs, what it rests on, and what happened.
import type { Section } from './section.ts'
import { batches } from './sections/batches.ts'
import { budgets } from './sections/budgets.ts'
import { cache } from './sections/cache.ts'
import { changes } from './sections/changes.ts'
import { headline } from './sections/headline.ts'
import { money } from './sections/money.ts'
import { recent } from './sections/recent.ts'
import { suggestions } from './sections/suggestions.ts'
import { traffic } from './sections/traffic.ts'
import { upstream } from './sections/upstream.ts'

export const sections: readonly Section[] = [
  headline,
  traffic,
  money,
  suggestions,
  upstream,
  cache,
  budgets,
  batches,
  recent,
  changes,
]
