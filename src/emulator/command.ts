/** What `castor emulator` does, without its command line. */
import { startEmulator } from './emulator.ts'
import type { EmulatorOptions } from './options.ts'

export interface EmulatorCommand extends EmulatorOptions {
  /** Receives the lines to show. */
  write: (text: string) => void
  /** Ends the emulator. */
  signal: AbortSignal
}

/** Serves until `signal` aborts; resolves to the exit code: 0, or 1 when the port could not be had. */
export async function emulatorCommand({ write, signal, ...options }: EmulatorCommand): Promise<number> {
  let emulator: Awaited<ReturnType<typeof startEmulator>>
  try {
    emulator = await startEmulator(options)
  } catch (error) {
    write(`Could not start: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
  write(`A Gemini that is none listens on ${emulator.url} (any key but "bad..." or "invalid..." will do).\n`)
  write(
    `Try: curl -H 'x-goog-api-key: demo' -d '{"contents":[{"parts":[{"text":"Hello"}]}]}' ${emulator.url}/v1beta/models/gemini-3.5-flash:generateContent\n`,
  )
  write(`What it was asked: ${emulator.url}/__emulator/calls   Faults: POST ${emulator.url}/__emulator/faults\n`)
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  write(`${emulator.count()} calls, ${emulator.usageTotals().totalTokens} tokens.\n`)
  await emulator.close()
  return 0
}
