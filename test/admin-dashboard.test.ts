import fc from 'fast-check'
import t from 'tap'
import { html } from '../src/admin/dashboard/html.ts'
import { createLive } from '../src/admin/dashboard/live.ts'
import { type Rendered, renderSections, type Section } from '../src/admin/dashboard/section.ts'
import { sections } from '../src/admin/dashboard/sections.ts'
import type { Sources } from '../src/admin/dashboard/sources.ts'
import { createMinutes } from '../src/admin/minutes.ts'
import { addSample } from '../src/usage/histogram.ts'
import { gatewayTo, until } from './helper.ts'

const prefix = '/api/ai-engine/optimization'
const token = 'operate-0123456789abcdef'
const nowhere = 'http://127.0.0.1:9'
const hostile = `<img src=x onerror="alert(1)">'&\u202e\u0007`

function sources(over: Partial<Sources> = {}): Sources {
  return {
    minutes: createMinutes(() => 1_800_000_000_000).all,
    recent: () => [],
    models: () => [],
    changes: () => [],
    load: () => ({ inFlight: 0, liveSessions: 0 }),
    ...over,
  }
}

async function rendered(given: Sources): Promise<Map<string, string>> {
  return new Map((await renderSections(sections, given)).map(({ id, html }) => [id, html]))
}

t.test('a template escapes whatever it is given, and nothing twice', async (t) => {
  t.equal(
    html`<p title="${'a"b'}">${'<b>'}${html`<i>${'&'}</i>`}${['x', null, false, 1]}</p>`.text,
    '<p title="a&quot;b">&lt;b&gt;<i>&amp;</i>x1</p>',
  )
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !/[<>"'\u202e\u0000-\u0008]/.test(html`${text}`.text)))
})

t.test('a section without a source is not shown', async (t) => {
  t.same([...(await rendered(sources())).keys()], ['headline', 'traffic', 'upstream', 'recent'])
})

t.test('every section shows its source, in the order of the page', async (t) => {
  const shown = await rendered(
    sources({
      days: () => [{ label: '2026-11-22', calls: 10, failedCalls: 0, costUsd: 0.05, netSavedUsd: 1.5 }],
      cache: async () => ({ entries: 50, maxEntries: 100, bytes: 2_000_000, evictions: 3, semanticErrorRate: 0.015 }),
      breakers: () => [{ name: 'gemini-2.5-pro', state: 'open', failureRate: 0.75, retryAtMs: 1_800_000_000_000 }],
      budgets: () => [
        {
          rule: 'team',
          subject: '',
          period: 'day',
          share: 0.5,
          softShare: 0.8,
          usedText: '$5.00',
          limitText: '$10.00',
        },
      ],
      batches: () => [{ id: 'b1', name: 'nightly', state: 'running', total: 10, done: 4, failed: 1, readyAtMs: null }],
      suggestions: () => [
        {
          rule: 'r',
          title: 'Keep longer',
          evidence: 'e',
          savingUsdPerMonth: 12.5,
          change: 'cache:\n  ttl: 4h',
          caution: '',
        },
      ],
      changes: () => [
        {
          at: '2026-11-23T00:00:00.000Z',
          id: 'x',
          by: 'token',
          from: '10.0.0.1',
          method: 'POST',
          route: '/config/reload/',
          status: 200,
          outcome: 'done',
          reason: null,
        },
      ],
    }),
  )
  t.same(
    [...shown.keys()],
    sections.map(({ id }) => id),
  )
  t.match(shown.get('headline'), /Cost per call today[\s\S]*\$0\.005[\s\S]*on target/)
  t.match(shown.get('money'), /\$0\.05 spent and \$1\.50 saved/)
  t.match(shown.get('cache'), /50 of 100[\s\S]*2MB[\s\S]*1\.5 %/)
  t.match(shown.get('upstream'), /gemini-2\.5-pro[\s\S]*poor">open[\s\S]*75\.0 %/)
  t.match(shown.get('budgets'), /everybody[\s\S]*<meter[^>]*value="0\.500"[\s\S]*\$5\.00 of \$10\.00/)
  t.match(shown.get('batches'), /nightly[\s\S]*4 of 10/)
  t.match(shown.get('suggestions'), /\$12\.50 a month[\s\S]*cache:\n {2}ttl: 4h/)
  t.match(shown.get('changes'), /POST \/config\/reload\//)
})

t.test('figures are graded by the thresholds', async (t) => {
  const minutes = createMinutes(() => 1_800_000_000_000)
  Object.assign(minutes.current(), { calls: 100, errors: 3, hits: 90, misses: 10, promptTokens: 1234 })
  addSample(minutes.current().latency, 1)
  const text = (await rendered(sources({ minutes: minutes.all }))).get('headline')
  t.match(text, /Error rate[\s\S]*3\.0 %<\/span><span class="grade good"[^>]*>on target/)
  t.match(text, /hit rate[\s\S]*90\.0 %<\/span><span class="grade excellent"/)
  t.match(text, /Response time \(median\)[\s\S]*1 ms<\/span><span class="grade excellent"/)
  t.match(text, /1,234/)
  t.match(
    (await rendered(sources())).get('headline'),
    /Error rate[\s\S]*n\/a<\/span><span class="grade none"[^>]*>no data/,
  )
})

t.test('whatever a client or a store calls something is text, never markup', async (t) => {
  const shown = await rendered(
    sources({
      recent: () => [
        {
          endedAtMs: 0,
          id: hostile,
          key: hostile,
          route: hostile,
          model: hostile,
          status: 200,
          source: hostile,
          outcome: hostile,
          reason: hostile,
          tokens: 1,
          ms: 1,
        },
      ],
      models: () => [
        { model: hostile, lastSuccessAt: null, lastFailureAt: null, lastFailure: hostile, failuresInRow: 1 },
      ],
      breakers: () => [{ name: hostile, state: 'closed', failureRate: null, retryAtMs: null }],
      budgets: () => [
        {
          rule: hostile,
          subject: hostile,
          period: 'day',
          share: Number.NaN,
          softShare: 0.8,
          usedText: hostile,
          limitText: hostile,
        },
      ],
      batches: () => [{ id: hostile, name: hostile, state: hostile, total: 0, done: 0, failed: 0, readyAtMs: null }],
      suggestions: () => [
        {
          rule: hostile,
          title: hostile,
          evidence: hostile,
          savingUsdPerMonth: null,
          change: hostile,
          caution: hostile,
        },
      ],
    }),
  )
  const page = [...shown.values()].join('')
  t.notMatch(page, /<img|onerror="|\u202e|\u0007/)
  t.match(page, /&lt;img src=x onerror=&quot;alert\(1\)&quot;&gt;&#39;&amp;/)
})

t.test('a section that fails says so, and the others stand', async (t) => {
  const broken: Section = {
    id: 'broken',
    title: 'Broken',
    render() {
      throw new Error('redis://:secret@host')
    },
  }
  const fine: Section = { id: 'fine', title: 'Fine', render: () => html`<p>here</p>` }
  const parts = await renderSections([broken, fine], sources())
  t.match(parts, [
    { id: 'broken', html: /Not available at the moment/ },
    { id: 'fine', html: /<h2 id="fine-title">Fine<\/h2><p>here<\/p>/ },
  ])
  t.notMatch(parts[0]?.html, /secret/)
})

t.test('a viewer gets everything first and then what changed, until it leaves', async (t) => {
  let now: Rendered[] = [
    { id: 'a', html: '<p>1</p>' },
    { id: 'b', html: '<p>b</p>' },
  ]
  const live = createLive(async () => now, 5)
  t.teardown(() => live.close())
  const viewer = live.open()
  let text = ''
  viewer.on('data', (bytes: Buffer) => {
    text += bytes.toString()
  })
  const events = () => [...text.matchAll(/event: sections\ndata: (.*)\n\n/g)].map(([, data]) => JSON.parse(data!))
  await until(() => events().length >= 2)
  t.same(events()[0], { ids: ['a', 'b'], sections: now })
  t.same(events()[1], { ids: ['a', 'b'], sections: [] })
  now = [{ id: 'a', html: '<p>2</p>' }]
  await until(() => events().some(({ sections }) => sections[0]?.html === '<p>2</p>'))
  t.same(events().at(-1).ids, ['a'])
  viewer.destroy()
})

t.test('viewers are bounded, and after the close there are none', async (t) => {
  const live = createLive(async () => [])
  const viewers = Array.from({ length: 50 }, () => live.open())
  t.throws(() => live.open(), { name: 'GatewayError', reason: 'CASTOR_OVERLOADED' })
  for (const viewer of viewers) viewer.resume()
  live.close()
  await Promise.all(viewers.map((viewer) => new Promise((resolve) => viewer.once('end', resolve))))
  t.throws(() => live.open(), { name: 'GatewayError', reason: 'CASTOR_DRAINING' })
})

t.test('live updates come over HTTP, and do not hold up the stop of the gateway', async (t) => {
  const { url, close } = await gatewayTo(t, nowhere)
  const response = await fetch(`${url}${prefix}/events`)
  t.match(Object.fromEntries(response.headers), { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const reader = response.body!.getReader()
  let text = ''
  while (!text.includes('headline')) text += Buffer.from((await reader.read()).value!).toString()
  t.match(text, /^retry: \d+\n\nevent: sections\ndata: \{"ids":\["headline"/)
  await close()
})

t.test('a browser signs in with the token, stays signed in by its cookie, and signs out', async (t) => {
  const { app } = await gatewayTo(t, nowhere, `admin: { token: ${token}, session: 1h }`)
  const html = { accept: 'text/html', host: 'castor.example' }
  const form = { ...html, 'content-type': 'application/x-www-form-urlencoded', origin: 'http://castor.example' }

  const first = await app.inject({ url: `${prefix}/`, headers: html })
  t.equal(first.statusCode, 401)
  t.match(first.body, /<form method="post" action="login">[\s\S]*type="password"/)
  t.notMatch(first.body, /Calls per minute/)

  const wrong = await app.inject({ method: 'POST', url: `${prefix}/login`, headers: form, payload: 'token=wrong' })
  t.equal(wrong.statusCode, 401)
  t.match(wrong.body, /The admin token is not right/)
  t.equal(wrong.headers['set-cookie'], undefined)

  const right = await app.inject({ method: 'POST', url: `${prefix}/login`, headers: form, payload: `token=${token}` })
  t.equal(right.statusCode, 303)
  t.equal(right.headers.location, './')
  const cookie = String(right.headers['set-cookie'])
  t.match(cookie, /^castor_session=[\w-]{43}; Max-Age=3600; HttpOnly; SameSite=Strict$/)

  const signedIn = { ...html, cookie: cookie.split(';')[0]! }
  const page = await app.inject({ url: `${prefix}/`, headers: signedIn })
  t.equal(page.statusCode, 200)
  t.match(page.body, /Calls per minute[\s\S]*Sign out|Sign out[\s\S]*Calls per minute/)

  const out = await app.inject({ method: 'POST', url: `${prefix}/logout`, headers: { ...form, ...signedIn } })
  t.match(out.headers['set-cookie'], /^castor_session=; Max-Age=0/)
  t.equal((await app.inject({ url: `${prefix}/`, headers: signedIn })).statusCode, 401)
})

t.test('behind TLS the cookie is for TLS only', async (t) => {
  const { app } = await gatewayTo(t, nowhere, `admin: { token: ${token} }\nserver: { publicUrl: "https://ai.example" }`)
  const headers = { origin: 'https://ai.example', 'content-type': 'application/json' }
  const answer = await app.inject({
    method: 'POST',
    url: `${prefix}/login`,
    headers,
    payload: JSON.stringify({ token }),
  })
  t.same(answer.json(), { signedIn: true })
  t.match(answer.headers['set-cookie'], /; Secure$/)
})

t.test('a sign-in is written down with who came in', async (t) => {
  const { app } = await gatewayTo(t, nowhere, `admin: { token: ${token} }`)
  const headers = { 'content-type': 'application/json' }
  await app.inject({ method: 'POST', url: `${prefix}/login`, headers, payload: '{"token":"wrong"}' })
  await app.inject({ method: 'POST', url: `${prefix}/login`, headers, payload: JSON.stringify({ token }) })
  t.match(app.castor.desk.audit.entries(10), [
    { by: 'token', outcome: 'done', route: `${prefix}/login` },
    { by: 'nobody', outcome: 'refused', reason: 'CASTOR_ADMIN_UNAUTHORIZED' },
  ])
})

t.test('the page finds its files under either form of its path, and browsers keep them', async (t) => {
  const { app } = await gatewayTo(t, nowhere)
  for (const path of [prefix, `${prefix}/`]) {
    const { body } = await app.inject(path)
    const files = [...body.matchAll(/(?:href|src)="([^"#]*assets[^"]*)"/g)].map(([, file]) => file!)
    t.equal(files.length, 4)
    for (const file of files) {
      const answer = await app.inject(new URL(file, `http://x${path}`).pathname)
      t.equal(answer.statusCode, 200, file)
      t.equal(answer.headers['cache-control'], 'public, max-age=31536000, immutable')
    }
    t.notMatch(body, /<script(?![^>]*src=)|<style|style="|https?:\/\//, 'nothing inline, nothing from elsewhere')
  }
})

t.test('a HEAD of the live updates waits for nothing', async (t) => {
  const { app } = await gatewayTo(t, nowhere)
  const answer = await app.inject({ method: 'HEAD', url: `${prefix}/events` })
  t.equal(answer.statusCode, 200)
  t.equal(answer.body, '')
})
