/** The official Python SDK. CASTOR_TEST_PYTHON names interpreters that have it, separated by colons; without it, python3 is tried. */
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { drive, runs, unless } from './programs.ts'

const script = fileURLToPath(new URL('clients/python/client.py', import.meta.url))
const named = process.env.CASTOR_TEST_PYTHON
const interpreters = named ? named.split(':') : ['python3']

for (const python of interpreters) {
  const missing = !runs(python, '-c', 'import google.genai') && `no google-genai for ${python} (set CASTOR_TEST_PYTHON)`
  t.test(
    `google-genai for Python does everything through the gateway (${python})`,
    unless(missing, 'python'),
    async (t) => {
      await drive(t, python, [script])
    },
  )
}
