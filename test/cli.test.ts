/** The command line: what it prints for people and for programs, and how it exits. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hashKey } from '../src/auth/issued.ts'
import { version } from '../src/version.ts'
import { castor } from './process.ts'

// Processes take a second to start.
t.jobs = 3

const file = (folder: string, text: string): string => {
  const path = join(folder, 'gateway.yaml')
  writeFileSync(path, text)
  return path
}

t.test('castor --help names every command, --version the version', async (t) => {
  const { code, stdout } = await castor(t, ['--help'])
  t.equal(code, 0)
  for (const command of ['serve', 'demo', 'check', 'keys', 'emulator'])
    t.match(stdout, new RegExp(`^ {2}${command}\\b`, 'm'))
  t.match(await castor(t, ['--version']), { code: 0, stdout: `${version}\n` })
  t.match((await castor(t, ['keys', '--help'])).stdout, /create.*list/s)
})

t.test('an unknown command or option is said on standard error, with help, and exits 1', async (t) => {
  const wrong = [['sevre'], ['serve', '--prot', '1'], ['emulator', '--port', 'x'], ['keys', 'create']]
  for (const { code, stdout, stderr } of await Promise.all(wrong.map((args) => castor(t, args)))) {
    t.equal(code, 1)
    t.equal(stdout, '')
    t.match(stderr, /^error: /)
    t.match(stderr, 'Usage: castor')
  }
})

t.test('castor check says what a good file amounts to', async (t) => {
  const path = file(t.testdir(), 'server: { port: 9000 }\nauth: { upstreamKey: "${KEY}" }\n')
  t.match(await castor(t, ['check', '--config', path], { KEY: 'CANARY' }), {
    code: 0,
    stdout: `${path} is fine: listens on 127.0.0.1:9000, asks https://generativelanguage.googleapis.com, auth shared, 0 clients.\n`,
    stderr: '',
  })
  const { stdout } = await castor(t, ['check', '--config', path, '--json'], { KEY: 'CANARY' })
  t.match(JSON.parse(stdout), { ok: true, listen: '127.0.0.1:9000', auth: 'shared' })
  t.notMatch(stdout, 'CANARY')
  t.match(await castor(t, ['check', '--config', 'gateway.yaml']), { code: 0 }, 'the shipped file')
})

t.test('castor check says everything that is wrong, where, and what would be right, and exits 78', async (t) => {
  const path = file(
    t.testdir(),
    'server:\n  prot: 9000\n  drain: 5\nlimits: { body: lots }\nauth: { upstreamKey: "${NONE_SUCH}" }\n',
  )
  for (const command of ['check', 'serve']) {
    const { code, stdout, stderr } = await castor(t, [command, '--config', path])
    t.equal(code, 78)
    t.equal(stdout, '')
    for (const problem of [/:2:\d+.*prot.*port/s, /:3:\d+.*no unit/s, /:4:\d+.*limits\.body/s, /NONE_SUCH/])
      t.match(stderr, problem)
    t.notMatch(stderr, /\n {4}at /, 'no stack')
  }
  t.match(await castor(t, ['check', '--config', '/none/such.yaml']), { code: 78, stderr: /cannot be read \(ENOENT\)/ })
})

t.test('castor keys create prints a key once and writes its hash, keeping the file as it was', async (t) => {
  const before = '# ours\nserver: { port: 9000 }   # the port\nauth: { upstreamKey: "${KEY:-k}" }\n'
  const path = file(t.testdir(), before)
  const mode = statSync(path).mode
  const { code, stdout, stderr } = await castor(t, [
    'keys',
    'create',
    'crm',
    '--config',
    path,
    '--upstream-key',
    '${CRM_KEY:-c}',
  ])
  t.equal(code, 0)
  t.match(stdout, /^castor-[\w-]{43}\n$/, 'standard output holds the key and nothing else')
  t.match(stderr, /shown only now/)
  const after = readFileSync(path, 'utf8')
  t.ok(after.startsWith(before))
  t.match(after, hashKey(stdout.trim()))
  t.notMatch(after, stdout.trim())
  t.equal(statSync(path).mode, mode)
  t.notOk(existsSync(`${path}.new`))

  t.match(await castor(t, ['keys', 'list', '--config', path]), { code: 0, stdout: 'crm  1 key\n' })
  const { stdout: listed } = await castor(t, ['keys', 'list', '--config', path, '--json'])
  t.same(JSON.parse(listed), [{ name: 'crm', keys: 1, tags: {} }])
})

t.test('castor keys create refuses what would be wrong, in a sentence, and leaves the file alone', async (t) => {
  const text = `clients:\n  - name: crm\n    keyHash: sha256:${'a'.repeat(64)}\n`
  const path = file(t.testdir(), text)
  const refused: [args: string[], why: RegExp][] = [
    [['crm'], /already a client called crm/],
    [['Not A Name'], /short name of lower-case letters/],
    [['web', '--upstream-key', 'AIzaSyCANARY'], /takes a reference such as \$\{CRM_GEMINI_KEY\}/],
  ]
  for (const [args, why] of refused) {
    const { code, stdout, stderr } = await castor(t, ['keys', 'create', ...args, '--config', path])
    t.equal(code, 1)
    t.equal(stdout, '')
    t.match(stderr, why)
    t.notMatch(stderr, /\n {4}at |CANARY/)
    t.equal(readFileSync(path, 'utf8'), text)
  }
  t.match(await castor(t, ['keys', 'create', 'web', '--config', '/none/such.yaml']), {
    code: 1,
    stderr: /^castor: ENOENT.*\n$/,
  })
})

t.test('castor demo shows its traffic without a key and leaves nothing behind', async (t) => {
  const { code, stdout } = await castor(t, ['demo', '--once', '--port', '0'])
  t.equal(code, 0)
  t.match(stdout, /Castor answers at http:\/\/127\.0\.0\.1:\d+/)
  t.match(stdout, /POST \/v1beta\/models\/gemini-2\.5-flash:generateContent\n.*200 in \d+ ms/)
})
