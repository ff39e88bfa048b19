/** The official Go SDK, where a Go toolchain is found and its modules (test/clients/go/go.sum) can be had. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { drive, runs, unless } from './programs.ts'

const source = fileURLToPath(new URL('clients/go', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'castor-go-'))
const program = join(folder, 'client')
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const missing =
  (!runs('go', 'version') && 'no go toolchain') ||
  (!runs('go', 'build', '-C', source, '-buildvcs=false', '-o', program, '.') &&
    'google.golang.org/genai cannot be built here')

t.test('google.golang.org/genai does everything through the gateway', unless(missing, 'go'), async (t) => {
  await drive(t, program, [])
})
