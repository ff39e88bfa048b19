import t from 'tap'
import { ageHeader, cacheStatus, fitness, readCacheControl } from '../src/cache/freshness.ts'

const life = { createdAt: 1_000_000, ttlMs: 60_000, staleUntil: 1_000_000 + 300_000 }
const after = (seconds: number) => life.createdAt + seconds * 1000
const fit = (header: string | undefined, seconds: number) => fitness(life, readCacheControl(header), after(seconds))

t.test('reads request directives as RFC 9111 writes them', async (t) => {
  t.match(readCacheControl('No-Cache, max-age=5 , foo="a,no-store", stale-if-error="60"'), {
    noCache: true,
    noStore: false,
    maxAgeMs: 5000,
    staleIfErrorMs: 60_000,
  })
  t.match(readCacheControl(['no-store', 'only-if-cached']), { noStore: true, onlyIfCached: true })
  t.match(readCacheControl('max-age=99999999999999999999'), { maxAgeMs: 2 ** 31 * 1000 })
  t.match(readCacheControl('max-stale'), { maxStaleMs: Number.POSITIVE_INFINITY })
  t.match(readCacheControl('max-age=60, max-age=10'), { maxAgeMs: 10_000 }, 'of two the stricter')
  for (const bad of ['max-age', 'max-age=', 'max-age=-1', 'max-age=1.5', 'max-age=x']) {
    t.match(readCacheControl(bad), { maxAgeMs: 0 }, `${bad} asks again`)
  }
  t.match(readCacheControl(undefined), { noCache: false, maxAgeMs: undefined })
  t.match(readCacheControl(undefined, 'no-cache'), { noCache: true })
  t.match(readCacheControl('max-age=1', 'no-cache'), { noCache: false })
  t.match(readCacheControl(',,;;=="'), { noCache: false })
})

t.test('an answer is fresh, stale or unfit by its age and the request', async (t) => {
  t.equal(fit(undefined, 59), 'fresh')
  t.equal(fit(undefined, 60), 'stale')
  t.equal(fit(undefined, 299), 'stale')
  t.equal(fit(undefined, 300), 'unfit')
  t.equal(fit('no-cache', 1), 'stale', 'kept for a failing upstream')
  t.equal(fit('max-age=10', 10), 'fresh')
  t.equal(fit('max-age=10', 11), 'stale')
  t.equal(fit('max-age=0', 1), 'stale')
  t.equal(fit('min-fresh=30', 29), 'fresh')
  t.equal(fit('min-fresh=30', 31), 'stale')
  t.equal(fit('max-stale=100', 150), 'fresh')
  t.equal(fit('max-stale=100', 161), 'stale')
  t.equal(fit('max-stale', 301), 'unfit', 'nothing is older than the house keeps it')
  t.equal(fit('stale-if-error=30', 89), 'stale')
  t.equal(fit('stale-if-error=30', 90), 'unfit')
  t.equal(fit('stale-if-error=99999', 301), 'unfit')
  t.equal(fit('stale-if-error=0', 59), 'fresh')
  t.equal(fit('stale-if-error=0', 60), 'unfit')
})

t.test('Age counts whole seconds and is never negative', async (t) => {
  t.equal(ageHeader(life, after(1.9)), '1')
  t.equal(ageHeader(life, after(-5)), '0')
})

t.test('Cache-Status says what happened, in the words of RFC 9211', async (t) => {
  t.equal(cacheStatus({ hit: true, life, detail: 'exact' }, after(1)), 'castor; hit; ttl=59; detail=exact')
  t.equal(cacheStatus({ hit: true, life, detail: 'stale' }, after(70)), 'castor; hit; ttl=-10; detail=stale')
  t.equal(cacheStatus({ hit: true, detail: 'coalesced' }, 0), 'castor; hit; detail=coalesced')
  t.equal(cacheStatus({ hit: false, fwd: 'miss', stored: true }, 0), 'castor; fwd=miss; stored')
  t.equal(
    cacheStatus({ hit: false, fwd: 'bypass', detail: 'no "store"' }, 0),
    'castor; fwd=bypass; detail="no \\"store\\""',
  )
  t.equal(cacheStatus({ hit: false, fwd: 'stale', collapsed: true }, 0), 'castor; fwd=stale; collapsed')
})
