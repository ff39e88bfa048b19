import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { flushLog } from '../log.ts'

/** `castor demo`: emulator, gateway and a little traffic; needs no key and leaves nothing behind. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('emulator, gateway and sample traffic, no key needed')
    .option('-p, --port <number>', 'port of the gateway, 0 for any', port, Number(process.env.CASTOR_PORT ?? 8080))
    .option('--once', 'end after the sample traffic instead of staying up')
    .action(async ({ port: at, once }: { port: number; once?: boolean }) => {
      // Loaded only here: the gateway itself never needs the emulator.
      const { runDemo } = await import('../demo.ts')
      const dataDir = mkdtempSync(join(tmpdir(), 'castor-demo-'))
      const demo = await runDemo({ port: at, dataDir, say: (line) => process.stdout.write(`${line}\n`) })
      const end = async () => {
        await demo.close()
        flushLog()
        rmSync(dataDir, { recursive: true, force: true })
      }
      if (once) return end()
      process.stdout.write('\nStill up; try it yourself, and end it with Ctrl-C.\n')
      for (const signal of ['SIGINT', 'SIGTERM'] as const)
        process.once(signal, () => void end().then(() => process.exit(0)))
    })
}

function port(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > 65535) throw new InvalidArgumentError('a port between 0 and 65535 is wanted.')
  return value
}
