import { startEmulator } from './emulator/emulator.ts'
import { startGateway } from './serve.ts'

export interface DemoOptions {
  /** port of the gateway; 0 for any */
  port: number
  dataDir: string
  say(line: string): void
}

/** A call of the demo, and how its answer is shown. */
interface Sample {
  title: string
  path: string
  body: object
  headers?: Record<string, string>
  show(answer: string): string
}

const question = (text: string) => ({ contents: [{ role: 'user', parts: [{ text }] }] })

const samples: readonly Sample[] = [
  {
    title: 'one answer',
    path: '/v1beta/models/gemini-2.5-flash:generateContent',
    body: question('Who was Castor?'),
    show: (answer) => firstText(JSON.parse(answer)),
  },
  {
    title: 'the same question in another spelling, from memory',
    path: '/v1beta/models/gemini-2.5-flash:generateContent',
    body: { contents: [{ parts: { text: 'Who was Castor?' }, role: 'user' }] },
    show: (answer) => firstText(JSON.parse(answer)),
  },
  {
    title: 'a stream',
    path: '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse',
    body: question('Tell the story of the twins.'),
    show: (answer) =>
      `${answer.split('\r\n\r\n').filter((event) => event !== '').length} events, the first: ${firstText(firstEvent(answer))}`,
  },
  {
    title: 'tokens counted',
    path: '/v1beta/models/gemini-2.5-flash:countTokens',
    body: question('Who was Castor?'),
    show: (answer) => `${(JSON.parse(answer) as { totalTokens: number }).totalTokens} tokens`,
  },
  {
    title: 'the OpenAI surface',
    path: '/v1beta/openai/chat/completions',
    body: { model: 'gemini-2.5-flash', messages: [{ role: 'user', content: 'Who was Pollux?' }] },
    show: (answer) =>
      (JSON.parse(answer) as { choices: { message: { content: string } }[] }).choices[0]?.message.content ?? '',
  },
  {
    title: 'a model that does not exist',
    path: '/v1beta/models/gemini-0-none:generateContent',
    body: question('Anyone there?'),
    show: (answer) => (JSON.parse(answer) as { error: { message: string } }).error.message,
  },
]

/** Starts the emulator and a gateway in front of it, sends the sample calls through and shows what came back. */
export async function runDemo({ port, dataDir, say }: DemoOptions): Promise<{ url: string; close(): Promise<void> }> {
  const emulator = await startEmulator({ firstByteMs: 120, tokensPerSecond: 400 })
  // The demo is a world of its own: nothing of this machine's environment takes part in it, a key least of all.
  const settings = { server: { port }, upstream: { url: emulator.url }, dataDir, log: { level: 'warn' } }
  const gateway = await startGateway({ file: 'demo settings', text: JSON.stringify(settings), env: {} }).catch(
    async (error) => {
      await emulator.close()
      throw error
    },
  )
  say(`Castor answers at ${gateway.url} for a Gemini emulator at ${emulator.url}.\n`)
  for (const sample of samples) {
    const startedAt = performance.now()
    const response = await fetch(gateway.url + sample.path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-goog-api-key': 'demo', ...sample.headers },
      body: JSON.stringify(sample.body),
    })
    const answer = await response.text()
    say(`POST ${sample.path}\n  ${sample.title}: ${response.status} in ${Math.round(performance.now() - startedAt)} ms`)
    say(`  ${shorten(sample.show(answer))}`)
    for (const name of ['cache-status', 'server-timing']) say(`  ${name}: ${response.headers.get(name) ?? 'none'}`)
    say('')
  }
  const { calls, totalTokens } = emulator.usageTotals()
  say(
    `Gemini was asked ${calls} times for ${totalTokens} tokens. Figures: ${gateway.url}/metrics\nDashboard: ${gateway.url}/api/ai-engine/optimization/\n`,
  )
  say(`  curl ${gateway.url}/v1beta/models/gemini-2.5-flash:generateContent -H 'x-goog-api-key: demo' \\`)
  say(`    -H 'content-type: application/json' -d '{"contents":[{"parts":[{"text":"Who was Castor?"}]}]}'`)
  return {
    url: gateway.url,
    async close() {
      await gateway.stop()
      await emulator.close()
    },
  }
}

function firstEvent(stream: string): unknown {
  return JSON.parse((stream.split('\r\n\r\n')[0] ?? '').slice('data: '.length))
}

function firstText(answer: unknown): string {
  const { candidates } = answer as { candidates?: { content?: { parts?: { text?: string }[] } }[] }
  return candidates?.[0]?.content?.parts?.[0]?.text ?? ''
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length > 100 ? `${line.slice(0, 99)}…` : line
}
