/** Fastify with @fastify/http-proxy at its defaults: the ready-made way to put a gateway on Fastify. */
import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import { answerQuestions } from '../probe.ts'

const app = Fastify({ logger: false })
await app.register(httpProxy, { upstream: `http://127.0.0.1:${process.argv[2]}` })
await app.listen({ host: '127.0.0.1', port: 0 })
answerQuestions((app.server.address() as { port: number }).port)
