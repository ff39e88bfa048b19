/** The official clients as users construct them, behind one shape, so that what must hold for all of them is tested with all of them. */
import { spawn } from 'node:child_process'
import { createGoogleGenerativeAI } from '@ai-sdk/google'
import { GoogleGenAI } from '@google/genai'
import { GenerativeModel, GoogleGenerativeAI } from '@google/generative-ai'
import { ChatGoogleGenerativeAI } from '@langchain/google-genai'
import { generateText, streamText } from 'ai'
import { GoogleGenAI as GoogleGenAI1 } from 'genai-1x'
import OpenAI from 'openai'

/** Where a client is pointed, and as whom. */
export interface At {
  /** base URL: a gateway's or the emulator's */
  url: string
  key: string
  model?: string
}

export interface Sdk {
  name: string
  /** whether `signal` ends a call that does not stream, which LangChain's invoke ignores */
  abortsUnary?: false
  /** the text of one answer */
  generate(at: At, prompt: string, signal?: AbortSignal): Promise<string>
  /** the pieces of a streamed answer, as they come */
  stream(at: At, prompt: string, signal?: AbortSignal): AsyncGenerator<string>
}

const chatModel = 'gemini-2.5-flash'

/** All of them, without retries of their own: a test counts calls. */
export const sdks: Sdk[] = [
  genai('@google/genai 3', GoogleGenAI),
  genai('@google/genai 1', GoogleGenAI1 as unknown as typeof GoogleGenAI),
  {
    name: '@google/generative-ai',
    async generate({ url, key, model = chatModel }, prompt, signal) {
      const generative = new GoogleGenerativeAI(key).getGenerativeModel({ model }, { baseUrl: url })
      return (await generative.generateContent(prompt, { signal })).response.text()
    },
    async *stream({ url, key, model = chatModel }, prompt, signal) {
      const generative = new GoogleGenerativeAI(key).getGenerativeModel({ model }, { baseUrl: url })
      const { stream } = await generative.generateContentStream(prompt, { signal })
      for await (const chunk of stream) yield chunk.text()
    },
  },
  {
    name: 'openai',
    async generate({ url, key, model = chatModel }, prompt, signal) {
      const answer = await openai(url, key).chat.completions.create(
        { model, messages: [{ role: 'user', content: prompt }] },
        { signal },
      )
      return answer.choices[0]?.message.content ?? ''
    },
    async *stream({ url, key, model = chatModel }, prompt, signal) {
      const stream = await openai(url, key).chat.completions.create(
        { model, messages: [{ role: 'user', content: prompt }], stream: true },
        { signal },
      )
      for await (const chunk of stream) yield chunk.choices[0]?.delta.content ?? ''
      // The client ends an aborted stream in order.
      signal?.throwIfAborted()
    },
  },
  {
    name: 'ai + @ai-sdk/google',
    async generate({ url, key, model = chatModel }, prompt, abortSignal) {
      return (await generateText({ model: aiSdk(url, key)(model), prompt, abortSignal, maxRetries: 0 })).text
    },
    async *stream({ url, key, model = chatModel }, prompt, abortSignal) {
      const stream = streamText({ model: aiSdk(url, key)(model), prompt, abortSignal, maxRetries: 0, onError() {} })
      // Only the full stream tells of errors; the text stream just ends.
      for await (const part of stream.fullStream) {
        if (part.type === 'error') throw part.error
        if (part.type === 'abort') throw new DOMException('aborted', 'AbortError')
        if (part.type === 'text-delta') yield part.text
      }
    },
  },
  {
    name: '@langchain/google-genai',
    abortsUnary: false,
    async generate({ url, key, model = chatModel }, prompt, signal) {
      return (await langchain(url, key, model).invoke(prompt, { signal })).text
    },
    async *stream({ url, key, model = chatModel }, prompt, signal) {
      for await (const chunk of await langchain(url, key, model).stream(prompt, { signal })) yield chunk.text
    },
  },
  {
    name: 'curl',
    async generate(at, prompt, signal) {
      let text = ''
      for await (const piece of curl(at, 'generateContent', prompt, signal)) text += piece
      return textOf(text)
    },
    async *stream(at, prompt, signal) {
      let rest = ''
      for await (const piece of curl(at, 'streamGenerateContent?alt=sse', prompt, signal)) {
        const events = (rest + piece).split('\r\n\r\n')
        rest = events.pop() ?? ''
        for (const event of events) yield textOf(event.slice('data: '.length))
      }
    },
  },
]

// @google/generative-ai, which LangChain uses inside, makes a second promise beside each stream. When the stream breaks that one rejects too,
// and as LangChain does not listen to it, Node would end the process.
const { generateContentStream } = GenerativeModel.prototype
GenerativeModel.prototype.generateContentStream = async function listened(...args) {
  const result = await generateContentStream.apply(this, args)
  result.response.catch(() => {})
  return result
}

function genai(name: string, Client: typeof GoogleGenAI): Sdk {
  return {
    name,
    async generate({ url, key, model = chatModel }, contents, abortSignal) {
      const client = new Client({ apiKey: key, httpOptions: { baseUrl: url } })
      return (await client.models.generateContent({ model, contents, config: { abortSignal } })).text ?? ''
    },
    async *stream({ url, key, model = chatModel }, contents, abortSignal) {
      const client = new Client({ apiKey: key, httpOptions: { baseUrl: url } })
      const stream = await client.models.generateContentStream({ model, contents, config: { abortSignal } })
      for await (const chunk of stream) yield chunk.text ?? ''
    },
  }
}

function openai(url: string, apiKey: string): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${withoutSlash(url)}/v1beta/openai/`, maxRetries: 0 })
}

function aiSdk(url: string, apiKey: string) {
  return createGoogleGenerativeAI({ apiKey, baseURL: `${withoutSlash(url)}/v1beta` })
}

function langchain(url: string, apiKey: string, model: string): ChatGoogleGenerativeAI {
  return new ChatGoogleGenerativeAI({ model, apiKey, baseUrl: url, maxRetries: 0 })
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '')
}

/** Runs curl and yields what it prints; throws with its answer when it fails. */
async function* curl(at: At, verb: string, prompt: string, signal?: AbortSignal): AsyncGenerator<string> {
  const url = `${withoutSlash(at.url)}/v1beta/models/${at.model ?? chatModel}:${verb}`
  const body = JSON.stringify({ contents: [{ parts: [{ text: prompt }] }] })
  const headers = ['-H', `x-goog-api-key: ${at.key}`, '-H', 'content-type: application/json']
  const child = spawn('curl', ['-sSN', '--fail-with-body', '--max-time', '20', url, ...headers, '-d', body], { signal })
  const ended = new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject))
  // It is awaited below, but an abort rejects it before.
  ended.catch(() => {})
  let printed = ''
  for await (const piece of child.stdout) {
    printed += piece
    yield String(piece)
  }
  const code = await ended
  if (code !== 0) throw Object.assign(new Error(printed), { code })
}

function textOf(answer: string): string {
  return JSON.parse(answer).candidates[0].content.parts[0].text
}

/** Reads a stream to its end. */
export async function collect(stream: AsyncIterable<string>): Promise<string[]> {
  const pieces: string[] = []
  for await (const piece of stream) pieces.push(piece)
  return pieces
}
