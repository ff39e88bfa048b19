import { Command } from 'commander'

/** `castor serve` */
export function serveCommand(): Command {
  return new Command('serve')
    .description('run the gateway')
    .option('-c, --config <file>', 'settings file; without it, defaults and the environment')
    .action(async ({ config }: { config?: string }) => {
      // Loaded only here: the other commands start in a tenth of the time.
      const { serve } = await import('../serve.ts')
      await serve({ ...(config === undefined ? {} : { file: config }), env: process.env }, (text) =>
        process.stderr.write(`${text}\n`),
      )
    })
}
