// Live updates of the dashboard by server-sent events: what has changed since the last round, as finished HTML, rendered once for all
// who look.
import { PassThrough, type Readable } from 'node:stream'
import { GatewayError } from '../../gemini/errors.ts'
import type { Rendered } from './section.ts'

export interface Live {
  /**
   * The events for one browser, until it leaves, `close`, or ten minutes are over (it then comes again, and the guard sees it again).
   * @throws GatewayError CASTOR_OVERLOADED when too many look on, CASTOR_DRAINING after `close`
   */
  open(): Readable
  close(): void
}

const longestMs = 600_000
const maxViewers = 50
/** A browser that reads nothing is let go before its backlog grows. */
const maxBacklogBytes = 2_000_000

/**
 * @param render the sections as they stand
 * @param everyMs pause between two looks
 */
export function createLive(render: () => Promise<readonly Rendered[]>, everyMs = 3_000): Live {
  const viewers = new Map<PassThrough, NodeJS.Timeout>()
  let timer: NodeJS.Timeout | null = null
  let known: readonly Rendered[] = []
  let rendering = false
  let closed = false

  async function tell(): Promise<void> {
    // A round that takes longer than the pause is not overtaken.
    if (rendering) return
    rendering = true
    try {
      const before = new Map(known.map(({ id, html }) => [id, html]))
      known = await render()
      const ids = known.map(({ id }) => id)
      const changed = known.filter(({ id, html }) => before.get(id) !== html)
      const text = event('sections', { ids, sections: changed })
      for (const viewer of viewers.keys()) write(viewer, text)
    } finally {
      rendering = false
    }
  }

  function write(viewer: PassThrough, text: string): void {
    // One whose time is over stays in the list until its last bytes are read.
    if (viewer.writableEnded) return
    if (viewer.writableLength > maxBacklogBytes) viewer.destroy()
    else viewer.write(text)
  }

  function drop(viewer: PassThrough): void {
    clearTimeout(viewers.get(viewer))
    viewers.delete(viewer)
    if (viewers.size > 0 || timer === null) return
    clearInterval(timer)
    timer = null
    known = []
  }

  return {
    open() {
      if (closed) throw new GatewayError('CASTOR_DRAINING', 'The gateway is shutting down.', { retryAfterSeconds: 1 })
      if (viewers.size >= maxViewers) {
        throw new GatewayError('CASTOR_OVERLOADED', `At most ${maxViewers} browsers can look on at once.`, {
          retryAfterSeconds: 30,
        })
      }
      const viewer = new PassThrough()
      viewers.set(
        viewer,
        setTimeout(() => viewer.end(), longestMs),
      )
      viewer.once('close', () => drop(viewer))
      viewer.write(`retry: ${everyMs}\n\n`)
      timer ??= setInterval(() => void tell(), everyMs)
      // What others know already, this one does not.
      if (known.length > 0) write(viewer, event('sections', { ids: known.map(({ id }) => id), sections: known }))
      else void tell()
      return viewer
    },
    close() {
      closed = true
      for (const viewer of viewers.keys()) viewer.end()
    },
  }
}

function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}
