/** Fastify with a buffered body and undici's `dispatch`: what Castor stands on, with nothing of Castor in it. */
import Fastify from 'fastify'
import { Pool } from 'undici'
import { answerQuestions } from '../probe.ts'
import { headersUp, relayInto } from './relay.ts'

const pool = new Pool(`http://127.0.0.1:${process.argv[2]}`, { connections: 1024 })
const app = Fastify({ logger: false })
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
app.post('/*', (request, reply) => {
  reply.hijack()
  const headers = headersUp(request.raw.rawHeaders)
  pool.dispatch({ path: request.url, method: 'POST', headers, body: request.body as Buffer }, relayInto(reply.raw))
})
await app.listen({ host: '127.0.0.1', port: 0 })
answerQuestions((app.server.address() as { port: number }).port)
