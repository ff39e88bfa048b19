import t from 'tap'
import { type CoalesceOptions, createCoalescer, type Leader, type Outcome } from '../src/cache/coalesce.ts'
import type { Sink } from '../src/cache/follower.ts'

const bytes = (text: string) => Buffer.from(text)

/** A follower's client that writes down all it gets. */
function client(take: (text: string) => boolean = () => true) {
  const seen: {
    status: number
    text: string
    outcome: Outcome | undefined
    leader: Leader | undefined
    went: boolean
  } = {
    status: 0,
    text: '',
    outcome: undefined,
    leader: undefined,
    went: false,
  }
  const sink: Sink = {
    head: ({ status }) => {
      seen.status = status
    },
    chunk: (piece) => {
      seen.text += Buffer.from(piece).toString()
      return take(seen.text)
    },
    end: (outcome) => {
      seen.outcome = outcome
    },
    go: (leader, outcome) => {
      seen.went = true
      seen.leader = leader
      seen.outcome = outcome
    },
  }
  return { seen, sink }
}

function setup(options: CoalesceOptions = {}) {
  const coalescer = createCoalescer(options)
  const leader = coalescer.lead('k')
  if (leader === undefined) throw new Error('nobody else is here')
  return { coalescer, leader }
}

t.test('one call is led, the others follow it, and the next one starts anew', async (t) => {
  const { coalescer, leader } = setup()
  t.equal(coalescer.lead('k'), undefined)
  t.ok(coalescer.lead('another key'))
  t.equal(coalescer.follow('unknown', client().sink), undefined)
  leader.head({ status: 200, headers: {} })
  leader.end({ ok: true })
  t.ok(coalescer.lead('k'))
})

t.test('a late follower gets what has come so far, then live', async (t) => {
  const { coalescer, leader } = setup()
  const early = client()
  const late = client()
  coalescer.follow('k', early.sink)
  leader.head({ status: 200, headers: {} })
  leader.chunk(bytes('one '))
  leader.chunk(bytes('two '))
  coalescer.follow('k', late.sink)
  t.equal(late.seen.text, 'one two ')
  leader.chunk(bytes('three'))
  leader.end({ ok: true })
  for (const { seen } of [early, late]) t.match(seen, { status: 200, text: 'one two three', outcome: { ok: true } })
  t.equal(coalescer.inFlight(), 0)
})

t.test('a leader that leaves does not end the call; the last follower does', async (t) => {
  const { coalescer, leader } = setup()
  let aborted = 0
  leader.onDeserted(() => aborted++)
  const one = coalescer.follow('k', client().sink)
  const two = coalescer.follow('k', client().sink)
  t.ok(leader.leave(), 'somebody still wants it')
  one?.leave()
  t.equal(aborted, 0)
  two?.leave()
  two?.leave()
  t.equal(aborted, 1)
  t.notOk(setup().leader.leave(), 'alone, it may be aborted')
})

t.test('a call that fails before its first byte hands the lead to the oldest follower', async (t) => {
  const { coalescer, leader } = setup({ maxHandovers: 1 })
  const clients = [client(), client(), client()]
  for (const { sink } of clients) coalescer.follow('k', sink)
  leader.head({ status: 503, headers: {} })
  leader.chunk(bytes('{"error":{}}'))
  leader.end({ ok: true })
  const [first, second, third] = clients.map(({ seen }) => seen)
  t.ok(first?.leader)
  t.notOk(second?.went || third?.went)
  t.equal(second?.text, '', 'an error is not shared')

  first?.leader?.head({ status: 200, headers: {} })
  first?.leader?.chunk(bytes('better'))
  first?.leader?.end({ ok: true })
  t.match(second, { text: 'better', outcome: { ok: true } })
  t.match(third, { text: 'better' })
})

t.test('after the last handover everybody left goes alone', async (t) => {
  const { coalescer, leader } = setup({ maxHandovers: 1 })
  const clients = [client(), client(), client()]
  for (const { sink } of clients) coalescer.follow('k', sink)
  leader.end({ ok: false })
  clients[0]?.seen.leader?.end({ ok: false })
  t.match(clients[1]?.seen, { went: true, leader: undefined })
  t.match(clients[2]?.seen, { went: true, leader: undefined })
  t.equal(coalescer.inFlight(), 0)
})

t.test('a follower that left before the handover is not given the lead, nor is one that throws', async (t) => {
  const { coalescer, leader } = setup()
  const gone = client()
  const angry = client()
  const last = client()
  angry.sink.go = () => {
    throw new Error('my socket is gone')
  }
  const followed = coalescer.follow('k', gone.sink)
  coalescer.follow('k', angry.sink)
  coalescer.follow('k', last.sink)
  followed?.leave()
  leader.end({ ok: false })
  t.notOk(gone.seen.went)
  t.ok(last.seen.leader)
})

t.test('a follower that leaves after the lead was handed on is missed by the new flight', async (t) => {
  const { coalescer, leader } = setup()
  const [one, two] = [client(), client()]
  coalescer.follow('k', one.sink)
  const second = coalescer.follow('k', two.sink)
  leader.end({ ok: false })
  let aborted = false
  one.seen.leader?.onDeserted(() => {
    aborted = true
  })
  t.ok(one.seen.leader?.leave())
  second?.leave()
  t.ok(aborted)
})

t.test('a call that breaks after its first byte is broken for its followers too', async (t) => {
  const { coalescer, leader } = setup()
  const one = client()
  coalescer.follow('k', one.sink)
  leader.head({ status: 200, headers: {} })
  leader.chunk(bytes('half'))
  leader.end({ ok: false, cause: 'reset' })
  t.match(one.seen, { text: 'half', went: false, outcome: { ok: false, cause: 'reset' } })
})

t.test('past the buffer bound nobody joins, and who follows goes on', async (t) => {
  const { coalescer, leader } = setup({ maxBufferBytes: 10 })
  const one = client()
  coalescer.follow('k', one.sink)
  leader.head({ status: 200, headers: {} })
  leader.chunk(bytes('0123456789'))
  leader.chunk(bytes('x'))
  t.equal(coalescer.follow('k', client().sink), undefined)
  leader.chunk(bytes('y'))
  leader.end({ ok: true })
  t.match(one.seen, { text: '0123456789xy', outcome: { ok: true } })
  t.equal(coalescer.counts.refused, 1)
})

t.test('a slow follower is fed at its own pace, and dropped beyond its bound; others do not notice', async (t) => {
  const { coalescer, leader } = setup({ maxLagBytes: 10 })
  const slow = client((text) => text.length !== 1)
  const stuck = client(() => false)
  const fast = client()
  const slowly = coalescer.follow('k', slow.sink)
  coalescer.follow('k', stuck.sink)
  coalescer.follow('k', fast.sink)
  leader.head({ status: 200, headers: {} })
  for (const piece of ['a', 'bcd', 'efg']) leader.chunk(bytes(piece))
  t.equal(slow.seen.text, 'a')
  slowly?.drained()
  t.equal(slow.seen.text, 'abcdefg')
  leader.chunk(bytes('hijkl'))
  t.match(stuck.seen, { text: 'a', outcome: { ok: false } })
  leader.end({ ok: true })
  t.match(slow.seen, { text: 'abcdefghijkl', outcome: { ok: true } })
  t.match(fast.seen, { text: 'abcdefghijkl', outcome: { ok: true } })
  t.equal(coalescer.counts.dropped, 1)
})

t.test('the end waits for what a slow follower has not taken yet', async (t) => {
  const { coalescer, leader } = setup()
  const slow = client((text) => text.length !== 1)
  const slowly = coalescer.follow('k', slow.sink)
  leader.head({ status: 200, headers: {} })
  leader.chunk(bytes('a'))
  leader.chunk(bytes('b'))
  leader.end({ ok: true })
  t.equal(slow.seen.outcome, undefined)
  slowly?.drained()
  t.match(slow.seen, { text: 'ab', outcome: { ok: true } })
})

t.test('a follower that throws is dropped and harms nobody', async (t) => {
  const { coalescer, leader } = setup()
  const angry = client()
  angry.sink.chunk = () => {
    throw new Error('socket gone')
  }
  const calm = client()
  coalescer.follow('k', angry.sink)
  coalescer.follow('k', calm.sink)
  leader.head({ status: 200, headers: {} })
  leader.chunk(bytes('a'))
  leader.chunk(bytes('b'))
  leader.end({ ok: true })
  t.match(calm.seen, { text: 'ab', outcome: { ok: true } })
  t.match(angry.seen.outcome, { ok: false })
})

t.test('nobody joins an error or a crowd', async (t) => {
  const { coalescer, leader } = setup({ maxFollowers: 1 })
  t.ok(coalescer.follow('k', client().sink))
  t.equal(coalescer.follow('k', client().sink), undefined)
  const failing = setup()
  failing.leader.head({ status: 500, headers: {} })
  t.equal(failing.coalescer.follow('k', client().sink), undefined)
  leader.head({ status: 200, headers: {} })
  leader.end({ ok: true })
  leader.end({ ok: false })
  t.equal(coalescer.inFlight(), 0)
})
