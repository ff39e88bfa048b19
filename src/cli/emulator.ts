import { Command, InvalidArgumentError } from 'commander'
import type { EmulatorOptions } from '../emulator/options.ts'

/** `castor emulator`: a fake Gemini to develop and test against. */
export function emulatorCommand(): Command {
  return new Command('emulator')
    .description('run a fake Gemini on this machine')
    .option('-p, --port <number>', 'port to listen on, 0 for any', number, 8090)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--seed <number>', 'answers are a function of this and of the request', number, 1)
    .option('--first-byte <ms>', 'wait before the first byte of an answer', number, 0)
    .option('--tokens-per-second <number>', 'speed of answers; default: as fast as the socket takes them', number)
    .option('--gzip', 'compress for clients that offer it, as Google does')
    .option('--rpm <number>', 'requests per minute and model for one key', number)
    .option('--tpm <number>', 'input tokens per minute and model for one key', number)
    .action(async ({ firstByte, ...options }: EmulatorOptions & { firstByte: number }) => {
      const { startEmulator } = await import('../emulator/emulator.ts')
      const emulator = await startEmulator({ ...options, firstByteMs: firstByte })
      process.stderr.write(
        `The Gemini emulator answers at ${emulator.url}. Control: ${emulator.url}/__emulator/calls, /faults, /reset, /count\n`,
      )
      const end = () => emulator.close().then(() => process.exit(0))
      process.once('SIGINT', end)
      process.once('SIGTERM', end)
    })
}

function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('a number of 0 or more is wanted.')
  return value
}
