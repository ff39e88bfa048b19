import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

/** Node never closes idle keep-alive connections of a closing server by itself in time; asked this often, it does. */
const pollMs = 50

/**
 * Ends a gateway without losing a stream: readiness turns red, new calls are refused, open ones may finish for `server.drain`; what is
 * still open then is cut.
 * @returns whether everything ended by itself
 */
export async function stop(app: FastifyInstance): Promise<boolean> {
  const { lifecycle, settings, liveSessions } = app.castor
  const { drain, propagation } = settings.current.server
  lifecycle.drain()
  // The load balancer has to see the red readiness before the port closes.
  if (propagation > 0) await sleep(propagation)
  let drained = true
  const idle = setInterval(() => app.server.closeIdleConnections(), pollMs)
  const deadline = setTimeout(() => {
    drained = false
    for (const cut of liveSessions) cut()
    app.server.closeAllConnections()
  }, drain)
  try {
    await app.close()
  } finally {
    clearInterval(idle)
    clearTimeout(deadline)
  }
  return drained
}
