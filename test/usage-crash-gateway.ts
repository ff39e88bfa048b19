// A gateway in a process of its own, to be killed: listens on a free port and says which.
import { startGateway } from '../src/serve.ts'

const [upstream = '', dataDir = ''] = process.argv.slice(2)
const settings = {
  server: { port: 0 },
  upstream: { url: upstream },
  dataDir,
  log: { level: 'silent' },
  cache: { mode: 'off' },
  budgets: [{ name: 'everybody', usdPerDay: 1000 }],
}
const { url } = await startGateway({ file: 'crash settings', text: JSON.stringify(settings), env: {} })
process.stdout.write(`${url}\n`)
