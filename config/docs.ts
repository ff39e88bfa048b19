import { IsArray, IsObject, IsRecord, type TSchema } from 'typebox'
import { leaf } from './defaults.ts'
import { bounds } from './limit.ts'
import { configSchema } from './schema.ts'
import type { About } from './setting.ts'
import { type Setting, settings } from './settings.ts'

const introduction = `# Configuration

<!-- Generated from config/ by \`npm run docs\`; edit the schema, not this file. -->

Castor reads one YAML file, \`gateway.yaml\`, and checks all of it before it starts: \`castor check\` shows every mistake
with its line and what would be right. Whatever the file leaves out has the default below; an empty file is a good file.

\`\`\`yaml
server:
  port: 9000
limits:
  body: 20MB
\`\`\`

## Writing values

| form | examples | meaning |
|---|---|---|
| duration | \`500ms\` \`5s\` \`2m30s\` \`1.5h\` \`7d\` \`1w\` \`0\` | a number without a unit is refused |
| size | \`512KB\` \`20MB\` \`1GiB\` \`0\` | KB, MB, GB, TB are thousands (1 MB = 1 000 000 bytes); KiB, MiB, GiB, TiB are 1024s |
| \`\${NAME}\` | \`\${CRM_GEMINI_KEY}\` | the environment variable; it has to be set |
| \`\${NAME:-default}\` | \`\${PORT:-8080}\` | the variable, or the default when it is unset or empty; the default may hold another \`\${…}\` |
| \`\${file:/path}\` | \`\${file:/run/secrets/gemini-key}\` | the content of a file, without its last line end |

References work in every value, also for numbers and \`true\`/\`false\`; what they yield is never looked at again. Write
\`$\${\` for a literal \`\${\`. Within \`{…}\` or \`[…]\` on one line, put a reference in quotes. Files are found relative to the
working directory of the process.

Where a setting names an environment variable, that variable counts when the file does not hold the setting.

A reload (SIGHUP, or POST \`/config/reload/\` of the admin API) takes up everything but the settings marked ↻, which need
a restart. A file with mistakes changes nothing: the settings in force stay.

Secrets (marked 🔒) are never shown: not in errors, logs, or the admin API. Better than writing them here is a reference.
`

const recipes = `## Recipes

**A team behind a proxy.** Clients get keys of their own from \`castor keys create NAME\`; the proxy ends TLS and puts the
gateway under \`/gemini\`:

\`\`\`yaml
server:
  host: 0.0.0.0
  publicUrl: https://ai.example.com/gemini
  basePath: /gemini
  trustProxy: [10.0.0.0/8]
auth:
  mode: issued
  upstreamKey: \${file:/run/secrets/gemini-key}
clients:
  - name: crm
    keyHash: sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8
    tags:
      team: sales
admin:
  token: \${file:/run/secrets/castor-admin-token}
\`\`\`

**Everybody keeps the Gemini key they have.** The gateway only moves it:

\`\`\`yaml
server:
  host: 0.0.0.0
auth:
  mode: passthrough
admin:
  token: \${CASTOR_ADMIN_TOKEN}
\`\`\`

**Several gateways** share their stores, and the secret that tenants are told apart by:

\`\`\`yaml
redis:
  url: \${REDIS_URL}
auth:
  secret: \${file:/run/secrets/castor-secret}
\`\`\`
`

/** The text of docs/configuration.md: how values are written, and every setting with default, limits and meaning. */
export function configurationDocs(): string {
  const groups = Object.entries(configSchema.properties).map(([name, schema]) => group(name, schema))
  return [introduction, ...groups, recipes].join('\n')
}

function group(name: string, schema: TSchema): string {
  const isPlain = !IsObject(schema) && !IsArray(schema)
  const description = isPlain ? '' : `${leaf(schema).description}\n\n`
  const rows = settings(schema, true, name).filter(({ path }) => isPlain || path !== name)
  const head = '| setting | default | environment | meaning |\n|---|---|---|---|\n'
  return `## ${name}\n\n${description}${head}${rows.map(row).join('')}`
}

function row({ path, schema }: Setting): string {
  // A list of sections says nothing of itself: its entries follow as rows of their own.
  const castor: Partial<About> =
    leaf(IsArray(schema) ? schema.items : IsRecord(schema) ? Object.values(schema.patternProperties)[0]! : schema)
      .castor ?? {}
  const marks = `${castor.secret ? ' 🔒' : ''}${castor.restart ? ' ↻' : ''}`
  const cells = [`\`${path}\`${marks}`, shownDefault(schema), castor.env ? `\`${castor.env}\`` : '', meaning(schema)]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
}

function shownDefault(schema: TSchema): string {
  const { default: fallback, castor } = leaf(schema)
  if (IsRecord(schema)) return 'none'
  if (IsArray(schema)) return (schema as { minItems?: number }).minItems ? '*needed*' : 'none'
  if (castor.needed) return '*needed*'
  return fallback === '' ? 'empty' : `\`${fallback}\``
}

function meaning(schema: TSchema): string {
  const { description, castor } = leaf(schema)
  const { enum: words }: { enum?: string[] } = schema
  const range = bounds(schema)
  return [
    description,
    words === undefined ? '' : `One of ${words.map((word) => `\`${word}\``).join(', ')}.`,
    range === undefined ? '' : `${range[0]?.toUpperCase()}${range.slice(1)}.`,
    castor?.example === undefined ? '' : `Example: \`${castor.example}\`.`,
  ]
    .filter((part) => part !== '')
    .join(' ')
}
