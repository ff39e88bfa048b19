#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { ConfigError } from '../config/load.ts'
import { cacheCommand } from './cli/cache.ts'
import { checkCommand } from './cli/check.ts'
import { demoCommand } from './cli/demo.ts'
import { docsCommand } from './cli/docs.ts'
import { emulatorCommand } from './cli/emulator.ts'
import { healthCommand } from './cli/health.ts'
import { jobsCommand } from './cli/jobs.ts'
import { keysCommand } from './cli/keys.ts'
import { reconcileCommand } from './cli/reconcile.ts'
import { replayCommand } from './cli/replay.ts'
import { reportCommand } from './cli/report.ts'
import { repriceCommand } from './cli/reprice.ts'
import { serveCommand } from './cli/serve.ts'
import { suggestionsCommand } from './cli/suggestions.ts'
import { version } from './version.ts'

const program = new Command('castor')
  .description('A gateway in front of the Gemini API.')
  .version(version)
  .showHelpAfterError()

for (const command of [
  serveCommand(),
  demoCommand(),
  checkCommand(),
  cacheCommand(),
  reportCommand(),
  suggestionsCommand(),
  repriceCommand(),
  reconcileCommand(),
  healthCommand(),
  jobsCommand(),
  keysCommand(),
  replayCommand(),
  emulatorCommand(),
  docsCommand(),
]) {
  program.addCommand(command.copyInheritedSettings(program))
}

// `castor … | head` ends the reader first; that is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

try {
  await program.parseAsync()
} catch (error) {
  // What an operator can put right is told in a sentence; anything else is a fault of ours and shows its stack.
  const expected =
    error instanceof ConfigError ||
    error instanceof CommanderError ||
    // A file or an address that the system refuses: taken port, missing file, no permission.
    (error instanceof Error && 'syscall' in error)
  process.stderr.write(`castor: ${expected || !(error instanceof Error) ? (error as Error).message : error.stack}\n`)
  process.exitCode = error instanceof ConfigError ? 78 : 1
}
