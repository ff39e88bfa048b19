import { Command } from 'commander'
import { callAdmin } from './admin-call.ts'
import { telling } from './cli-error.ts'
import { addressOf, type GatewayOptions, withGateway } from './gateway-option.ts'

interface Health {
  status: string
  version: string
  uptimeSeconds: number
  load: { inFlight: number; liveSessions: number }
  upstream: { url: string; lastSuccessAt: string | null; models: { model: string; failuresInRow: number }[] }
  parts: Record<string, { status: string; message?: string }>
}

/** `castor health`: the state of a running gateway; exit 0 when all is well, 1 when a part is not, 69 when nobody answers. */
export function healthCommand(): Command {
  return withGateway(
    new Command('health')
      .description('the state of a running gateway and of its parts; exit 1 when one is not well')
      .option('--json', 'for programs'),
  ).action((options: GatewayOptions & { json?: boolean }) => telling(() => run(options)))
}

async function run({ json, ...gateway }: GatewayOptions & { json?: boolean }): Promise<void> {
  // The admin API's own answer: its type is that of its handler.
  const health = (await callAdmin(addressOf(gateway), '/service/health/')) as Health
  process.stdout.write(json ? `${JSON.stringify(health)}\n` : textOf(health))
  if (health.status !== 'ok') process.exitCode = 1
}

function textOf({ status, version, uptimeSeconds, load, upstream, parts }: Health): string {
  const failing = upstream.models.filter(({ failuresInRow }) => failuresInRow > 0)
  const lines = [
    `${status}  castor ${version}, up ${uptimeSeconds} s, ${load.inFlight} requests and ${load.liveSessions} Live sessions open`,
    `Gemini at ${upstream.url}: last answer ${upstream.lastSuccessAt ?? 'none yet'}`,
    ...failing.map(({ model, failuresInRow }) => `  ${model}: ${failuresInRow} failures in a row`),
    ...Object.entries(parts).map(
      ([name, part]) => `  ${name.padEnd(10)} ${part.status}${part.message === undefined ? '' : `: ${part.message}`}`,
    ),
  ]
  return `${lines.join('\n')}\n`
}
