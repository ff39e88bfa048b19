import fc from 'fast-check'
import t from 'tap'
import { addClient } from '../config/clients.ts'
import { loadConfig } from '../config/load.ts'

const hash = (digit: string) => `sha256:${digit.repeat(64)}`
const crm = { name: 'crm', keyHash: hash('1') }

t.test('a file without clients gets the list at its end', async (t) => {
  t.equal(addClient('', crm), `clients:\n  - name: crm\n    keyHash: ${crm.keyHash}\n`)
  t.equal(addClient('# mine', crm), `# mine\n\nclients:\n  - name: crm\n    keyHash: ${crm.keyHash}\n`)
  t.equal(
    addClient('log:\n  level: warn   # quiet\n', crm),
    `log:\n  level: warn   # quiet\n\nclients:\n  - name: crm\n    keyHash: ${crm.keyHash}\n`,
  )
})

t.test('an empty list is filled where it stands', async (t) => {
  const filled = `clients:   # ours\n  - name: crm\n    keyHash: ${crm.keyHash}\nlog: {}\n`
  t.equal(addClient('clients:   # ours\nlog: {}\n', crm), filled)
  t.equal(addClient('clients: []\nlog: {}\n', crm), filled.replace('   # ours', ''))
  t.equal(addClient('clients: [] # ours\nlog: {}\n', crm), filled.replace('   #', ' #'))
})

t.test('a further client follows the last one, in its indentation, before the comments that follow', async (t) => {
  const text = `clients:\n- name: a   # first\n  keyHash: ${hash('a')} # see wiki\n\n# the log\nlog: { level: warn }\n`
  const expected = text.replace('wiki\n', `wiki\n- name: crm\n  keyHash: ${crm.keyHash}\n  upstreamKey: \${CRM}\n`)
  t.equal(addClient(text, { ...crm, upstreamKey: `\${CRM}` }), expected)
})

t.test('line ends stay as they are', async (t) => {
  const added = addClient('log:\r\n  level: warn\r\n', crm)
  t.notMatch(added.replaceAll('\r\n', ''), /[\r\n]/)
})

t.test('a name that YAML would read as something else is quoted', async (t) => {
  for (const name of ['true', '123', 'null', '1e3']) {
    const text = addClient('auth: { upstreamKey: k }\n', { ...crm, name })
    t.equal(loadConfig({ text, env: {} }).clients[0]?.name, name)
  }
})

t.test('a name that exists already is refused', async (t) => {
  t.throws(() => addClient(addClient('', crm), crm), {
    name: 'RangeError',
    message: 'there is already a client called crm',
  })
})

t.test('a name that is not allowed is refused', async (t) => {
  for (const name of ['', 'A B', 'x\ny: z', '__proto__'])
    t.throws(() => addClient('', { ...crm, name }), { name: 'RangeError', message: /short name/ })
})

t.test('a file that cannot be added to safely is refused, not damaged', async (t) => {
  const other = `{ name: a, keyHash: "${hash('a')}" }`
  const texts = [
    `clients: [${other}]\n`,
    '{ log: {} }\n',
    '- a\n',
    'log: "open\n',
    'clients: 7\n',
    'clients: {}\n',
    'log: {}\n...\n',
  ]
  for (const text of texts)
    t.throws(() => addClient(text, crm), { name: 'RangeError', message: /cannot be added to/ }, text)
})

t.test('whatever stands around, every client added is there, and every line that was there still is', async (t) => {
  const other = fc.constantFrom(
    'log:\n  level: warn\n',
    '# a comment\n',
    '\n',
    'limits: { inFlight: 9 } # few\n',
    'auth:\n    upstreamKey: k\n',
    '  # deep\n',
  )
  const list = fc.constantFrom(
    '',
    'clients:\n',
    'clients: []\n',
    `clients:\n    -   name: old\n        keyHash: ${hash('0')}\n`,
  )
  const unique = fc.uniqueArray(other, { maxLength: 6 })
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(unique, list, unique, fc.boolean(), (before, clients, after, ended) => {
        const rest = after.filter(
          (part) => part.startsWith('#') || part.trim() === '' || part.startsWith('  #') || !before.includes(part),
        )
        const text = [...before, clients, ...rest].join('')
        const given = ended ? text : text.trimEnd()
        const result = addClient(addClient(given, crm), { name: 'web', keyHash: hash('2') })
        const names = loadConfig({ text: result, env: { GEMINI_API_KEY: 'k' } }).clients.map(({ name }) => name)
        const lines = result.split('\n')
        const kept = given
          .replace('clients: []', 'clients:')
          .split('\n')
          .every((line) => lines.includes(line))
        return kept && names.join() === (clients.includes('old') ? 'old,crm,web' : 'crm,web')
      }),
    ),
  )
})
