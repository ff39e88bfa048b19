/** The floor of node:http: it reads the question and answers it from memory, without an upstream. */
import { createServer } from 'node:http'
import { listenAndAnswer } from '../probe.ts'
import { answer } from '../samples.ts'

const head = ['Content-Type', 'application/json; charset=UTF-8', 'Content-Length', String(answer.length)]

listenAndAnswer(
  createServer((request, response) => {
    request.resume()
    request.on('end', () => {
      response.writeHead(200, head)
      response.end(answer)
    })
  }),
)
