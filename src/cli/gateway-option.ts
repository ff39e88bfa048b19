import type { Command } from 'commander'
import type { AdminAddress } from './admin-call.ts'

export interface GatewayOptions {
  url: string
  prefix: string
}

/** Adds the options that name a running gateway. */
export function withGateway(command: Command): Command {
  return command
    .option('--url <address>', 'where the gateway is', `http://127.0.0.1:${process.env.CASTOR_PORT ?? 8080}`)
    .option('--prefix <path>', 'path of its admin API (admin.prefix)', '/api/ai-engine/optimization')
    .addHelpText(
      'after',
      '\nThe token is taken from CASTOR_ADMIN_TOKEN. Exit codes: 69 no gateway answers, 77 it refuses, 64 wrong use.',
    )
}

export function addressOf({ url, prefix }: GatewayOptions): AdminAddress {
  return { url, prefix, token: process.env.CASTOR_ADMIN_TOKEN ?? '' }
}
