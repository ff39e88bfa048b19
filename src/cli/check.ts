import { Command } from 'commander'
import { loadConfig } from '../../config/load.ts'
import { resolveAuthMode } from '../../config/mode.ts'

/** `castor check`: says everything that is wrong with the settings, exit 78; or what they amount to, exit 0. */
export function checkCommand(): Command {
  return new Command('check')
    .description('check the settings without starting')
    .option('-c, --config <file>', 'settings file', 'gateway.yaml')
    .option('--json', 'for programs')
    .action(({ config: file, json }: { config: string; json?: boolean }) => {
      const config = loadConfig({ file, env: process.env })
      const summary = {
        ok: true,
        listen: `${config.server.host}:${config.server.port}`,
        upstream: config.upstream.url,
        auth: resolveAuthMode(config),
        clients: config.clients.length,
      }
      process.stdout.write(
        json
          ? `${JSON.stringify(summary)}\n`
          : `${file} is fine: listens on ${summary.listen}, asks ${summary.upstream}, auth ${summary.auth}, ${summary.clients} clients.\n`,
      )
    })
}
