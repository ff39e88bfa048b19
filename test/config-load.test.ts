import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { Value } from 'typebox/value'
import { leaf } from '../config/defaults.ts'
import { inUnits } from '../config/limit.ts'
import { ConfigError, loadConfig, type Problem } from '../config/load.ts'
import { type Config, configSchema, defaultConfig } from '../config/schema.ts'
import { settings, valueAt } from '../config/settings.ts'

const load = (text: string, env: Record<string, string> = {}): Config => loadConfig({ file: 'gateway.yaml', text, env })

/** What is wrong with a text; fails the test when nothing is. */
function problems(text: string, env: Record<string, string> = {}): Problem[] {
  try {
    load(text, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  throw new Error(`accepted: ${text}`)
}

const scalars = settings(configSchema, false).filter(({ schema }) => leaf(schema).castor && !('anyOf' in schema))

t.test('an empty file gives the defaults, in the shape of the schema', async (t) => {
  t.same(load(''), defaultConfig())
  t.same(load('server:\nlimits:\n  # nothing set\nclients:\n'), defaultConfig(), 'empty sections say nothing')
  t.same([...Value.Errors(configSchema, defaultConfig())], [])
})

t.test('every default, written into the file, gives itself', async (t) => {
  for (const { path, schema } of scalars) {
    const text = path
      .split('.')
      .reduceRight((inner, name) => `{ ${name}: ${inner} }`, JSON.stringify(leaf(schema).default))
    t.same(load(text), defaultConfig(), path)
    const spelled = JSON.stringify(inUnits(schema, valueAt(defaultConfig(), path) as string))
    t.same(load(path.split('.').reduceRight((inner, name) => `{ ${name}: ${inner} }`, spelled)), defaultConfig(), path)
  }
})

t.test('values arrive in the units of the program', async (t) => {
  const config = load(
    'server: { keepAlive: 2m30s, port: 9000 }\nlimits: { body: 20MB, upload: 1GiB }\nmetrics: { enabled: false }',
  )
  t.equal(config.server.keepAlive, 150_000)
  t.equal(config.server.port, 9000)
  t.equal(config.limits.body, 20_000_000)
  t.equal(config.limits.upload, 1_073_741_824)
  t.equal(config.metrics.enabled, false)
})

t.test('addresses and prefixes lose their trailing slash', async (t) => {
  const config = load(
    'server: { publicUrl: "https://x.example/g/", basePath: /g/ }\nupstream: { url: "HTTP://LOCALHOST:80/" }',
  )
  t.equal(config.server.publicUrl, 'https://x.example/g')
  t.equal(config.server.basePath, '/g')
  t.equal(config.upstream.url, 'http://localhost')
})

t.test('the environment fills numbers and switches too', async (t) => {
  const text = `server: { port: "\${P}", drain: "\${D:-7s}" }\nmetrics: { enabled: "\${M}" }`
  const config = load(text, { P: '9001', M: 'false' })
  t.equal(config.server.port, 9001)
  t.equal(config.server.drain, 7000)
  t.equal(config.metrics.enabled, false)
})

t.test('a variable of its own counts when the file does not hold the setting', async (t) => {
  t.equal(load('', { CASTOR_PORT: '9002' }).server.port, 9002)
  t.equal(load('server: { port: 9003 }', { CASTOR_PORT: '9002' }).server.port, 9003)
  t.equal(load('', { CASTOR_PORT: '' }).server.port, 8080)
  t.match(problems('', { CASTOR_PORT: 'http' }), [{ line: 0, path: 'server.port', message: /value of CASTOR_PORT/ }])
})

t.test('trustProxy takes true, false, one address or several', async (t) => {
  const trusted = (text: string) => load(`server: { trustProxy: ${text} }`).server.trustProxy
  t.equal(trusted('true'), true)
  t.equal(trusted('"false"'), false)
  t.same(trusted('10.0.0.1'), ['10.0.0.1'])
  t.same(trusted('[10.0.0.0/8, "::1", loopback]'), ['10.0.0.0/8', '::1', 'loopback'])
  t.match(problems('server: { trustProxy: }'), [{ path: 'server.trustProxy', message: 'has no value' }])
  t.match(problems('server: { trustProxy: 10.0.0.0/33 }'), [
    { path: 'server.trustProxy', fix: /true, false, or a list/ },
  ])
  t.match(problems('server: { trustProxy: [1.2.3.4, 1.2.3] }'), [{ path: 'server.trustProxy[1]' }])
})

t.test('a client is complete, with one key hash or several', async (t) => {
  const [a, b] = ['a', 'b'].map((digit) => `sha256:${digit.repeat(64)}`)
  const { clients } = load(
    `auth: { upstreamKey: k }\nclients:\n- { name: crm, keyHash: "${a}", tags: { team: sales } }\n- { name: web, keyHash: ["${b}"] }`,
  )
  t.same(clients, [
    { name: 'crm', keyHash: [a], upstreamKey: '', tags: { team: 'sales' } },
    { name: 'web', keyHash: [b], upstreamKey: '', tags: {} },
  ])
})

t.test('each mistake is told with what would be right', async (t) => {
  const examples: [text: string, path: string, message: RegExp, fix: RegExp][] = [
    ['server: { prot: 1 }', 'server.prot', /unknown setting "prot"/, /did you mean port\?/],
    ['port: 1', 'port', /unknown setting/, /did you mean server\.port\?/],
    ['server: { colour: 1 }', 'server.colour', /unknown setting/, /known here: host, port/],
    ['server: { port: 70000 }', 'server.port', /70000 is more than 65535/, /from 0 to 65535/],
    ['server: { port: eighty }', 'server.port', /"eighty" is not a whole number/, /whole number/],
    ['server: { port: 80.5 }', 'server.port', /80.5 is not a whole number/, /whole number/],
    ['server: { port: [80] }', 'server.port', /not a list/, /whole number/],
    ['server: { port: }', 'server.port', /has no value/, /or remove the line/],
    ['server: { host: 127 }', 'server.host', /127 is not a text/, /quotes/],
    ['server: { host: "http://x" }', 'server.host', /is not an address or host name/, /without http/],
    ['server: { drain: 5 }', 'server.drain', /5 has no unit/, /500ms, 5s.*from 0 to 1h/],
    ['server: { drain: 5 seconds }', 'server.drain', /"5 seconds" is not a duration/, /5s/],
    ['server: { drain: 2h }', 'server.drain', /"2h" is more than 1h/, /from 0 to 1h/],
    ['server: { basePath: gemini }', 'server.basePath', /is not a path prefix/, /starting with/],
    ['server: { basePath: /a/../b }', 'server.basePath', /is not a path prefix/, /starting with/],
    ['server: { publicUrl: "ftp://x" }', 'server.publicUrl', /not an http\(s\) address/, /https:/],
    ['server: { publicUrl: "https://x/?a" }', 'server.publicUrl', /not an http\(s\) address/, /without user/],
    ['server: { publicUrl: "https://user@x" }', 'server.publicUrl', /not an http\(s\) address/, /without user/],
    ['server: 7', 'server', /should be a section/, /host, port/],
    ['upstream: { url: "" }', 'upstream.url', /is empty/, /https:/],
    ['upstream: { caFile: /none.pem }', 'upstream.caFile', /not a file that can be read/, /may read/],
    ['limits: { body: 100 }', 'limits.body', /100 has no unit/, /20MB/],
    ['limits: { body: 3GB }', 'limits.body', /"3GB" is more than 2GB/, /from 1KB to 2GB/],
    ['log: { level: inf }', 'log.level', /"inf" is not one of/, /write info/],
    ['metrics: { enabled: yes }', 'metrics.enabled', /"yes" is not true or false/, /true or false/],
    ['redis: { url: "http://x" }', 'redis.url', /not a Redis address/, /redis:/],
    ['clients: 7', 'clients', /should be a list/, /begin each entry/],
    ['clients: [7]', 'clients[0]', /should be a section/, /name, keyHash/],
    ['clients: [{ keyHash: x, tags: 1 }]', 'clients[0].tags', /should be a table/, /name: value/],
    ['dataDir: [a]', 'dataDir', /not a list/, /file path/],
    ['- a', '', /should be a section/, /server/],
  ]
  for (const [text, path, message, fix] of examples) {
    t.match(
      problems(text).find((problem) => problem.path === path),
      { file: 'gateway.yaml', message, fix },
      text,
    )
  }
})

t.test('all mistakes come at once, in the order of the file, each at its place', async (t) => {
  const text = [
    'log:',
    '  level: loud',
    'server:',
    '  port: 99999',
    '  drain: 5',
    '  prot: 1',
    'clients:',
    '  - name: A B',
  ].join('\n')
  t.same(
    problems(text).map(({ line, column, path }) => [line, column, path]),
    [
      [2, 10, 'log.level'],
      [4, 9, 'server.port'],
      [5, 10, 'server.drain'],
      [6, 3, 'server.prot'],
      [8, 5, 'clients[0].keyHash'],
      [8, 11, 'clients[0].name'],
    ],
  )
})

t.test('the message of the error can be read and clicked', async (t) => {
  t.throws(() => load('server:\n  prot: 1\n  port: x\n'), {
    name: 'ConfigError',
    message: [
      'gateway.yaml has 2 problems:',
      '  gateway.yaml:2:3  server.prot: unknown setting "prot"',
      '      → did you mean port?',
      '  gateway.yaml:3:9  server.port: "x" is not a whole number',
      '      → write a whole number, from 0 to 65535',
    ].join('\n'),
  })
})

t.test('any single unknown name is refused, named and placed', async (t) => {
  const parents = [
    '',
    'server.',
    'server.tls.',
    'upstream.',
    'auth.',
    'limits.',
    'admin.',
    'log.',
    'metrics.',
    'redis.',
  ]
  const known = new Set(settings(configSchema, true).flatMap(({ path }) => path.split('.')))
  const name = fc
    .stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,20}$/)
    .filter((text) => !known.has(text) && !/^(true|false|null)$/i.test(text))
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(
        fc.constantFrom(...parents),
        fc.oneof(name, fc.constantFrom('__proto__', 'constructor', 'toString')),
        fc.nat(5),
        (parent, name, gap) => {
          const sections = parent.split('.').filter((section) => section !== '')
          const lines = [...sections, name].map((section, depth) => `${'  '.repeat(depth)}${section}:`)
          const text = `${'# comment\n'.repeat(gap)}${lines.join('\n')} 1\n`
          const [problem, ...rest] = problems(text)
          return (
            rest.length === 0 &&
            problem?.path === parent + name &&
            problem.message.includes(name) &&
            problem.line === gap + lines.length
          )
        },
      ),
    ),
  )
})

t.test('wherever a wrong value stands, the problem points at it', async (t) => {
  const wrong = scalars.filter(({ schema }) =>
    ['integer', 'duration', 'size', 'flag'].includes(leaf(schema).castor.kind),
  )
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.constantFrom(...wrong), fc.nat(9), fc.nat(9), ({ path }, before, indent) => {
        const names = path.split('.')
        const lines = names.map((name, depth) => `${' '.repeat(depth * (indent + 1))}${name}:`)
        const [problem, ...rest] = problems(`${'\n'.repeat(before)}${lines.join('\n')} wrong # here\n`)
        const column = (lines.at(-1) ?? '').length + 2
        return (
          rest.length === 0 &&
          problem?.path === path &&
          problem.line === before + names.length &&
          problem.column === column
        )
      }),
    ),
  )
})

t.test('broken YAML is told with line and column, without quoting the text', async (t) => {
  const examples: [text: string, line: number][] = [
    ['server:\n  host: "hunter2\n', 3],
    ['server:\n\thost: hunter2', 2],
    ['server:\n  host: @hunter2', 2],
    ['auth:\n  secret: hunter2: x', 2],
    ['server: { port: 1\nlog: hunter2', 2],
    ['a: 1\n---\nb: hunter2', 2],
    ['? [hunter2]\n: 1', 1],
  ]
  for (const [text, line] of examples) {
    const [problem] = problems(text)
    t.match(problem, { line, path: '' }, text)
    t.notMatch(JSON.stringify(problems(text)), /hunter2/, text)
  }
})

t.test('an alias needs its anchor', async (t) => {
  t.match(problems('server:\n  host: *hots'), [{ line: 2, path: 'server.host', message: /anchor that does not exist/ }])
})

t.test('a name set twice is refused with both places', async (t) => {
  t.match(problems('server:\n  port: 1\n\n  port: 2\n'), [
    { line: 4, column: 3, path: 'server.port', message: 'is set twice, first in line 2' },
  ])
})

t.test('tags of YAML are refused', async (t) => {
  for (const tag of ['!include x', '!!js/function x', '!!binary aGk=', '!<tag:x> y', '!!set {a}']) {
    t.match(problems(`dataDir: ${tag}`), [{ line: 1, fix: 'remove the tag' }], tag)
  }
})

t.test('anchors may be used, a bomb of them may not', async (t) => {
  const config = load('server: { drain: &wait 7s, headersTimeout: *wait }')
  t.equal(config.server.headersTimeout, 7000)
  const laughs = Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(9)}]`)
  t.match(
    problems(`a0: &a0 [lol]\n${laughs.join('\n')}`).filter(({ message }) => /alias/.test(message)),
    [{ fix: /write the values out/ }],
  )
  t.match(
    problems('clients: &a [*a]').map(({ message }) => message),
    ['is one alias too many'],
  )
})

t.test('brackets without end, and files without end, are refused', async (t) => {
  t.match(problems('['.repeat(20_000)), [{ line: 1, message: 'is nested too deeply' }])
  const dir = t.testdir({ 'big.yaml': '#'.repeat(4_000_001) })
  t.throws(() => loadConfig({ file: join(dir, 'big.yaml'), env: {} }), {
    name: 'ConfigError',
    message: /larger than 4 MB/,
  })
  t.throws(() => loadConfig({ file: join(dir, 'none.yaml'), env: {} }), { name: 'ConfigError', message: /ENOENT/ })
})

t.test('a byte order mark and Windows line ends are no mistake', async (t) => {
  t.equal(load('\ufeffserver:\r\n  port: 9100\r\n').server.port, 9100)
  t.match(problems('\ufeffserver:\r\n  prot: 1\r\n'), [{ line: 2, column: 3 }])
})

t.test('a file is read from where it is', async (t) => {
  const dir = t.testdir({ 'gateway.yaml': 'server: { port: 9100 }' })
  t.equal(loadConfig({ file: join(dir, 'gateway.yaml'), env: {} }).server.port, 9100)
})

t.test('no text makes the loader throw anything but a ConfigError', async (t) => {
  const piece = fc.constantFrom(
    'server:',
    '\n',
    '  ',
    '- ',
    '{',
    '}',
    '[',
    ']',
    ':',
    ' ',
    '&a',
    '*a',
    '!!x',
    '"',
    "'",
    '|',
    '#',
    'port',
    '1',
    '${',
    '<<',
    '?',
    '\t',
  )
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
        ),
        (text) => {
          try {
            return Value.Check(configSchema, load(text))
          } catch (error) {
            return error instanceof ConfigError && error.problems.length > 0
          }
        },
      ),
      { numRuns: 300 },
    ),
  )
})

t.test('names of objects cannot reach into the program', async (t) => {
  t.match(problems('__proto__: { polluted: 1 }'), [{ path: '__proto__' }])
  t.match(
    problems('clients: [{ name: a, tags: { __proto__: x } }]').find(({ path }) => /tags/.test(path)),
    { message: /cannot be a name/ },
  )
  t.equal(({} as Record<string, unknown>).polluted, undefined)
})
