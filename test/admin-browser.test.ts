import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import t from 'tap'
import { type Closing, type Gateway, gateway } from './helper.ts'

const prefix = '/api/ai-engine/optimization'
const token = 'operate-0123456789abcdef'
const executable = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path !== undefined && existsSync(path),
)
const skip = executable === undefined && 'no Chromium here: apt-get install chromium, or set CHROMIUM'
const patience = { timeout: 15_000 }
const live = '#connection:text-is("Live")'

let browser: Browser
t.before(async () => {
  // Chromium's own sandbox needs rights that containers do not give; it only sees pages of ours here.
  if (!skip) browser = await chromium.launch({ executablePath: executable, args: ['--no-sandbox'] })
})
t.teardown(() => browser?.close())

/** A page that keeps whatever went wrong on it: errors, refusals by the policy, requests to other hosts. */
async function open(
  t: Closing,
  url: string,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; wrong: string[] }> {
  const context = await browser.newContext(options)
  t.teardown(() => context.close())
  const page = await context.newPage()
  const wrong: string[] = []
  page.on('pageerror', (error) => void wrong.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && void wrong.push(message.text()))
  page.on('dialog', (dialog) => void wrong.push(dialog.message()))
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) wrong.push(request.url())
  })
  return { page, wrong }
}

async function call({ url }: Gateway, model = 'gemini-2.5-flash'): Promise<void> {
  const answer = await fetch(`${url}/v1beta/models/${model}:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': 'k' },
    body: '{"contents":[{"parts":[{"text":"hi"}]}]}',
  })
  await answer.text()
}

t.test('the dashboard draws its charts and follows the traffic, under the strict policy', { skip }, async (t) => {
  const castor = await gateway(t)
  await call(castor)
  const { page, wrong } = await open(t, castor.url)
  await page.goto(castor.url + prefix)
  await page.waitForSelector('#calls-chart canvas', patience)
  t.equal(await page.locator('canvas').count(), await page.locator('figure.chart').count())
  await page.waitForSelector(live, patience)
  await call(castor, 'gemini-2.5-pro')
  await page.waitForSelector('#recent >> text=gemini-2.5-pro', patience)
  t.equal(await page.locator('#calls-chart canvas').count(), 1, 'the chart was given new figures, not drawn twice')
  t.same(wrong, [])
})

t.test('what is opened stays open through an update, and updates can be paused', { skip }, async (t) => {
  const castor = await gateway(t)
  await call(castor)
  const { page, wrong } = await open(t, castor.url)
  await page.goto(castor.url + prefix)
  await page.locator('#calls-chart summary').click(patience)
  await call(castor, 'gemini-2.5-pro')
  await page.waitForSelector('#recent >> text=gemini-2.5-pro', patience)
  t.equal(await page.locator('#calls-chart details[open]').count(), 1)
  await page.locator('#pause').click()
  t.equal(await page.textContent('#connection'), 'Paused')
  t.equal(await page.textContent('#pause'), 'Resume updates')
  await page.locator('#pause').click()
  await page.waitForSelector(live, patience)
  t.same(wrong, [])
})

t.test('an operator signs in and out with the keyboard', { skip }, async (t) => {
  const castor = await gateway(t, `admin: { token: ${token} }`)
  const { page } = await open(t, castor.url)
  await page.goto(`${castor.url}${prefix}/`)
  t.equal(await page.evaluate('document.activeElement.id'), 'token')
  await page.keyboard.type('wrong')
  await page.keyboard.press('Enter')
  await page.waitForSelector('text=The admin token is not right', patience)
  await page.locator('#token').fill(token)
  await page.keyboard.press('Enter')
  await page.waitForSelector('text=Calls per minute', patience)
  t.equal(await page.evaluate('document.cookie'), '', 'the script cannot read the cookie')
  await page.locator('text=Sign out').click()
  await page.waitForSelector('input[name=token]', patience)
})

t.test('names that clients choose do nothing in a browser', { skip }, async (t) => {
  const castor = await gateway(t)
  const hostile = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
  const { sources } = castor.app.castor.desk
  sources.batches = () => [
    { id: hostile, name: hostile, state: hostile, total: 1, done: 1, failed: 0, readyAtMs: null },
  ]
  const { page, wrong } = await open(t, castor.url)
  await page.goto(castor.url + prefix)
  await page.waitForSelector(live, patience)
  t.match(await page.textContent('#batches td'), hostile)
  t.equal(await page.locator('main img, main script').count(), 0)
  t.same(wrong, [])
})

t.test(
  'on a phone nothing but tables scrolls sideways, and everything can be hit with a thumb',
  { skip },
  async (t) => {
    const castor = await gateway(t)
    await call(castor)
    const { page } = await open(t, castor.url, {
      viewport: { width: 360, height: 740 },
      isMobile: true,
      hasTouch: true,
    })
    await page.goto(castor.url + prefix)
    await page.waitForSelector('#calls-chart canvas', patience)
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), 360)
    for (const button of await page.locator('button:visible').all()) t.ok((await button.boundingBox())!.height >= 24)
  },
)

t.test('it is dark for who wants it dark, and text stands out from its ground in both', { skip }, async (t) => {
  const castor = await gateway(t)
  await call(castor)
  const grounds: unknown[] = []
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page, wrong } = await open(t, castor.url, { colorScheme })
    await page.goto(castor.url + prefix)
    await page.waitForSelector('#calls-chart canvas', patience)
    grounds.push(await page.evaluate('getComputedStyle(document.body).backgroundColor'))
    t.same(await page.evaluate(faintTexts), [], colorScheme)
    t.same(wrong, [])
  }
  t.not(grounds[0], grounds[1])
})

t.test('a screen reader finds names for everything', { skip }, async (t) => {
  const castor = await gateway(t)
  await call(castor)
  const { page } = await open(t, castor.url)
  await page.goto(castor.url + prefix)
  await page.waitForSelector('#calls-chart canvas', patience)
  t.equal(await page.getAttribute('html', 'lang'), 'en')
  t.equal(await page.locator('h1').count(), 1)
  t.equal(await page.locator('main table:not(.u-legend):not(:has(caption))').count(), 0)
  t.equal(await page.locator('main section:not([aria-labelledby])').count(), 0)
  for (const plot of await page.locator('.plot').all()) t.match(await plot.getAttribute('aria-label'), /\w+ .*\./)
  await page.keyboard.press('Tab')
  t.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the figures')
})

/** Runs in the page: texts with less contrast than WCAG 2.2, 1.4.3 asks for (4.5:1). */
const faintTexts = `(() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number)
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).slice(0, 3).map((value) => {
      const share = value / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ground = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor
      if (channels(colour)[3] !== 0) return colour
    }
    return 'rgb(255, 255, 255)'
  }
  const faint = []
  for (const element of document.querySelectorAll('body *')) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '')) continue
    const [light, dark] = [getComputedStyle(element).color, ground(element)].map(luminance).sort((a, b) => b - a)
    const contrast = (light + 0.05) / (dark + 0.05)
    if (contrast < 4.5) faint.push(element.textContent.trim().slice(0, 40) + ' ' + contrast.toFixed(2))
  }
  return faint
})()`
