import { type Html, html } from './html.ts'
import type { Sources } from './sources.ts'

/** One part of the dashboard. */
export interface Section {
  /** its anchor, and its name in live updates */
  id: string
  title: string
  /** Its content; null when its source is not there or has nothing to show. */
  render(sources: Sources): Html | null | Promise<Html | null>
}

/** A section as it stands at this moment. */
export interface Rendered {
  id: string
  html: string
}

/** The page must not wait for a store that is down. */
const deadlineMs = 2_000

/** Renders them side by side. One that fails or is late says so in its place, and the others stand. */
export async function renderSections(sections: readonly Section[], sources: Sources): Promise<Rendered[]> {
  const parts = await Promise.all(
    sections.map(async ({ id, title, render }) => {
      const content = await contentOf(() => render(sources))
      if (content === null) return null
      const whole = html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>${content}</section>`
      return { id, html: whole.text }
    }),
  )
  return parts.filter((part) => part !== null)
}

async function contentOf(render: () => Html | null | Promise<Html | null>): Promise<Html | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Html>((resolve) => {
    timer = setTimeout(() => resolve(unavailable), deadlineMs)
  })
  try {
    return await Promise.race([render(), late])
  } catch {
    // What failed has its own line in the log; the page only has to stay a page.
    return unavailable
  } finally {
    clearTimeout(timer)
  }
}

const unavailable = html`<p class="empty">Not available at the moment.</p>`
