import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { addClient } from '../../config/clients.ts'
import { loadConfig } from '../../config/load.ts'
import { issueKey } from '../auth/issued.ts'

/** `castor keys create NAME` and `castor keys list` */
export function keysCommand(): Command {
  const keys = new Command('keys')
    .description('keys that the gateway issues to its clients')
    // Before its own commands are made: they take it over.
    .showHelpAfterError()
  keys
    .command('create <name>')
    .description('issue a key: prints it once and writes only its hash into the settings file')
    .option('-c, --config <file>', 'settings file', 'gateway.yaml')
    .option(
      '--upstream-key <reference>',
      "reference to this client's Gemini key, e.g. ${CRM_GEMINI_KEY} or ${file:/run/secrets/crm}; default: auth.upstreamKey",
    )
    .action((name: string, { config: file, upstreamKey }: { config: string; upstreamKey?: string }) =>
      create(name, file, upstreamKey),
    )
  keys
    .command('list')
    .description('the clients in the settings file; keys themselves are stored nowhere')
    .option('-c, --config <file>', 'settings file', 'gateway.yaml')
    .option('--json', 'for programs')
    .action(({ config: file, json }: { config: string; json?: boolean }) => {
      const clients = loadConfig({ file, env: process.env }).clients.map(({ name, keyHash, tags }) => ({
        name,
        keys: keyHash.length,
        tags,
      }))
      const text = clients.map(({ name, keys: count }) => `${name}  ${count} key${count === 1 ? '' : 's'}`).join('\n')
      process.stdout.write(json ? `${JSON.stringify(clients)}\n` : `${text || 'no clients'}\n`)
    })
  return keys
}

function create(name: string, file: string, upstreamKey: string | undefined): void {
  if (upstreamKey !== undefined && !/^\$\{[^}]+\}$/.test(upstreamKey)) {
    throw refusal(
      '--upstream-key takes a reference such as ${CRM_GEMINI_KEY} or ${file:/run/secrets/crm}: a key in the file would be a key in a backup',
    )
  }
  const { key, keyHash } = issueKey()
  const client = { name, keyHash, ...(upstreamKey === undefined ? {} : { upstreamKey }) }
  const text = readFileSync(file, 'utf8')
  let edited: string
  try {
    edited = addClient(text, client)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw refusal(`${file} was not changed: ${error.message}`)
  }
  // Written beside and renamed: a reader never meets half a file.
  writeFileSync(`${file}.new`, edited, { mode: statSync(file).mode })
  renameSync(`${file}.new`, file)
  process.stdout.write(`${key}\n`)
  process.stderr.write(
    `\nThis is the key of ${name}; it is shown only now. ${file} holds its hash. Send the running gateway a SIGHUP to let it in.\n` +
      `The client uses it where it used its Gemini key.\n`,
  )
}

/** Told in a sentence, without a stack: the operator can put it right. */
function refusal(message: string): CommanderError {
  return new CommanderError(1, 'castor.keys', message)
}
