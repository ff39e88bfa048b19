import { AdminCallError } from './admin-call.ts'

/** What the operator has to know, in a sentence; `exitCode` (sysexits.h) is for scripts. */
export class CliError extends Error {
  override name = 'CliError'
  readonly exitCode: number
  constructor(message: string, exitCode: number) {
    super(message)
    this.exitCode = exitCode
  }
}

/** Runs a command's work: what an operator can put right is told in a sentence, with its exit code. */
export async function telling(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof CliError || error instanceof AdminCallError)) throw error
    process.stderr.write(`castor: ${error.message}\n`)
    process.exitCode = error.exitCode
  }
}
