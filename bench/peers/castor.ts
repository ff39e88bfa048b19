/**
 * Castor as it is shipped: its own gateway.yaml, log and metrics on. Port, upstream and data directory come from the benchmark, and so do
 * settings that are under test, as arguments such as `cache.mode=off`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '../../config/load.ts'
import { buildGateway } from '../../src/app.ts'
import { listenAndAnswer } from '../probe.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'castor-bench-'))
process.once('exit', () => rmSync(dataDir, { recursive: true, force: true }))

const [upstreamPort, ...settings] = process.argv.slice(2)
const config = loadConfig({
  file: fileURLToPath(new URL('../../gateway.yaml', import.meta.url)),
  env: { CASTOR_UPSTREAM: `http://127.0.0.1:${upstreamPort}`, CASTOR_DATA_DIR: dataDir },
})
for (const setting of settings) {
  const [path = '', value] = setting.split('=', 2)
  const names = path.split('.')
  const last = names.pop() as string
  let section = config as unknown as Record<string, unknown>
  for (const name of names) section = section[name] as Record<string, unknown>
  if (section[last] === undefined) throw new Error(`There is no setting ${path}.`)
  section[last] = value === 'false' ? false : value
}
listenAndAnswer((await buildGateway(config)).server)
