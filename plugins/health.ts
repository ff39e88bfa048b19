// Health: what a load balancer, an orchestrator and Prometheus ask. Outside the pipeline: no key is needed, nothing is counted as traffic.
import fp from 'fastify-plugin'
import type { Surface } from '../src/house.ts'

export default fp(
  async function health(app, { surface }: { surface: Surface }) {
    const { lifecycle, settings } = app.castor

    app.get('/healthz', async () => ({ status: 'ok' }))

    // Not red because Gemini is: taking the gateway out of service would not bring Gemini back.
    app.get('/readyz', async (_request, reply) => {
      if (!lifecycle.draining) return { status: 'ready' }
      return reply.code(503).header('retry-after', '1').send({ status: 'draining' })
    })

    // With `admin.listen` the figures are the operators' too.
    if (settings.current.metrics.enabled && surface !== 'gemini') {
      app.get('/metrics', async (_request, reply) => {
        const { registry } = app.castor.metrics
        return reply.type(registry.contentType).send(await registry.metrics())
      })
    }
  },
  { name: 'castor-health', dependencies: ['castor-edge'] },
)
