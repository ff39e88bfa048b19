/**
 * The reference, = 1: node:http with undici's `dispatch`. It forwards headers and bytes, keeps back-pressure and cancels with the
 * client, and does nothing else that a gateway does.
 */
import { createServer } from 'node:http'
import { type Dispatcher, Pool } from 'undici'
import { listenAndAnswer } from '../probe.ts'
import { headersUp, relayInto } from './relay.ts'

const pool = new Pool(`http://127.0.0.1:${process.argv[2]}`, { connections: 1024 })

listenAndAnswer(
  createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (bytes: Buffer) => chunks.push(bytes))
    request.on('end', () => {
      const options = {
        path: request.url as string,
        method: request.method as Dispatcher.HttpMethod,
        headers: headersUp(request.rawHeaders),
        body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks),
      }
      pool.dispatch(options, relayInto(response))
    })
  }),
)
