import { execFile } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { gateway } from './helper.ts'
import { runs, unless } from './programs.ts'

const run = promisify(execFile)
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const root = new URL('..', import.meta.url).pathname

/** The fenced block of a language that follows a bold heading. */
function snippet(heading: string, language: string): string {
  const after = readme.slice(readme.indexOf(`**${heading}`))
  const block = after.match(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``))?.[1]
  if (!readme.includes(`**${heading}`) || block === undefined)
    throw new Error(`README has no ${language} snippet for ${heading}`)
  return block
}

const environment = (url: string) => ({
  ...process.env,
  GEMINI_API_KEY: 'readme-key',
  NO_PROXY: '127.0.0.1',
  CASTOR_URL: url,
})

const scripts = [
  'JavaScript, `@google/genai`',
  'JavaScript, `@google/generative-ai`',
  'JavaScript, `openai`',
  'JavaScript, AI SDK',
  'JavaScript, LangChain',
]

for (const heading of scripts) {
  t.test(`the README snippet for ${heading} prints an answer`, async (t) => {
    const { url, emulator } = await gateway(t)
    // Beside node_modules, so that the packages are found.
    const folder = mkdtempSync(join(root, 'test', '.readme-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    const file = join(folder, 'snippet.mjs')
    writeFileSync(file, snippet(heading, 'js').replaceAll('http://127.0.0.1:8080', url))
    const { stdout } = await run(process.execPath, [file], { env: environment(url), timeout: 60_000 })
    t.match(stdout, /\w{3}/, 'an answer is printed')
    t.equal(emulator.count(), 1, 'Gemini was asked once, through the gateway')
  })
}

t.test('the README snippet for curl prints an answer', async (t) => {
  const { url } = await gateway(t)
  const { stdout } = await run('sh', ['-c', snippet('curl', 'sh').replaceAll('http://127.0.0.1:8080', url)], {
    env: environment(url),
    timeout: 60_000,
  })
  t.match(JSON.parse(stdout), { candidates: [{ content: { role: 'model' } }] })
})

const python = process.env.CASTOR_TEST_PYTHON?.split(':')[0] ?? 'python3'
const noPython = !runs(python, '-c', 'import google.genai') && `no google-genai for ${python}`

t.test('the README snippet for Python prints an answer', unless(noPython, 'python'), async (t) => {
  const { url, emulator } = await gateway(t)
  const source = snippet('Python, `google-genai`', 'python').replaceAll('http://127.0.0.1:8080', url)
  const { stdout } = await run(python, ['-c', source], { env: environment(url), timeout: 60_000 })
  t.match(stdout, /\w{3}/)
  t.equal(emulator.count(), 1)
})

/** The module whose go.sum knows the SDK; the snippet is built in a copy of it. */
const goModule = join(root, 'test', 'clients', 'go')
const noGo = !runs('go', 'version') && 'no go toolchain'

t.test('the README snippet for Go prints an answer', unless(noGo, 'go'), async (t) => {
  const { url, emulator } = await gateway(t)
  const folder = mkdtempSync(join(tmpdir(), 'castor-readme-go-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const file of ['go.mod', 'go.sum']) copyFileSync(join(goModule, file), join(folder, file))
  writeFileSync(
    join(folder, 'main.go'),
    snippet('Go, `google.golang.org/genai`', 'go').replaceAll('http://127.0.0.1:8080', url),
  )
  const program = join(folder, 'client')
  const built = runs('go', 'build', '-C', folder, '-buildvcs=false', '-mod=mod', '-o', program, '.')
  if (!built && process.env.CASTOR_TEST_REQUIRE_ALL !== '1')
    return t.comment('google.golang.org/genai cannot be built here')
  t.ok(built, 'it compiles')
  const { stdout } = await run(program, { env: environment(url), timeout: 60_000 })
  t.match(stdout, /\w{3}/)
  t.equal(emulator.count(), 1)
})
