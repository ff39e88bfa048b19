import { Readable } from 'node:stream'
import type { House } from '../../house.ts'
import { version } from '../../version.ts'
import { type Call, type Endpoint, type Reply, wantsPage } from '../endpoint.ts'
import { unauthorized } from '../guard.ts'
import type { AdminRoute } from '../route.ts'
import { Html, html } from './html.ts'
import { page } from './layout.ts'
import { createLive } from './live.ts'
import { instant, table } from './parts.ts'
import { renderSections } from './section.ts'
import { sections } from './sections.ts'
import { signInPage } from './sign-in-page.ts'
import { sourcesOf } from './sources.ts'

/** The dashboard on the prefix itself, or the page that asks for the token; and its live updates under /events. */
export function overviewEndpoints(routes: readonly AdminRoute[], house: House): Endpoint[] {
  const render = () => renderSections(sections, sourcesOf(house))
  const live = createLive(render)
  house.desk.onClose(live.close)
  const pages = ['', '/'].map((url): Endpoint => {
    return { method: 'GET', url, access: 'open', bodyLimit: 0, answer: overview }
  })
  return [...pages, { method: 'GET', url: '/events', access: 'read', bodyLimit: 0, answer: events }]

  async function overview(call: Call): Promise<Reply> {
    const base = baseOf(call.url)
    if (call.who === null) {
      if (wantsPage(call)) return signInPage(unauthorized('Sign in with the admin token.'), base)
      throw unauthorized()
    }
    const content = (await render()).map((section) => new Html(section.html))
    const signOut =
      call.who.by === 'session'
        ? html`<form method="post" action="${base}logout"><button>Sign out</button></form>`
        : null
    const body = html`
<a class="skip" href="#content">Skip to the figures</a>
<header>
<h1>Castor</h1>
<p>Version ${version}, up since ${instant(house.desk.startedAtMs)}</p>
<p class="controls"><span id="connection" role="status"></span> <button id="pause" type="button" hidden>Pause updates</button></p>
${signOut}
</header>
<main id="content" data-events="${base}events">
${content}
</main>
<footer>
<details><summary>The admin API</summary>${table(
      'Routes of the admin API',
      ['Method', 'Path', 'Scope', 'What it does'],
      routes.map(({ method, path, scope, summary }) => [method, html`<code>${path}</code>`, scope, summary]),
    )}</details>
</footer>`
    return page({ title: 'Dashboard', base, body })
  }

  function events({ knock, signal }: Call): Reply {
    // A HEAD has no body to wait for.
    const body = knock.method === 'HEAD' ? Readable.from([]) : live.open()
    signal.addEventListener('abort', () => body.destroy(), { once: true })
    // nginx would otherwise hold events back until it has a page of them.
    return { status: 200, headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' }, body }
  }
}

/** Path of the prefix as seen from the page: without a last slash, the browser resolves against the directory above. */
function baseOf(url: string): string {
  const path = url.split('?', 1)[0] ?? ''
  return path.endsWith('/') ? '' : `${path.slice(path.lastIndexOf('/') + 1)}/`
}
