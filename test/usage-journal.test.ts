import { appendFileSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openJournal } from '../src/usage/journal.ts'

t.test('what was appended is there after a restart, in order', async (t) => {
  const path = join(t.testdir(), 'journal')
  const first = openJournal(path, 1_000_000)
  t.ok(first.append('one'))
  t.ok(first.append('two'))
  first.close()
  const second = openJournal(path, 1_000_000)
  t.ok(second.append('three'))
  t.same(second.read(), ['one', 'two', 'three'])
  second.clear()
  t.same(second.read(), [])
  t.equal(second.bytes, 0)
  t.ok(second.append('four'))
  t.same(second.read(), ['four'])
  second.close()
})

t.test('a torn last line is left out, and the lines before it are kept', async (t) => {
  const path = join(t.testdir(), 'journal')
  const journal = openJournal(path, 1_000_000)
  journal.append('whole')
  journal.close()
  appendFileSync(`${path}.0`, '{"torn":')
  const again = openJournal(path, 1_000_000)
  t.same(again.read(), ['whole'])
  t.ok(again.append('after'))
  t.same(again.read(), ['whole', 'after'], 'the torn piece does not swallow the next line')
  again.close()
})

t.test('it is bounded: the oldest lines go, and are counted', async (t) => {
  const path = join(t.testdir(), 'journal')
  const journal = openJournal(path, 2_000)
  const lines = Array.from({ length: 500 }, (_, index) => `line ${index}`)
  for (const line of lines) t.ok(journal.append(line))
  const kept = journal.read()
  t.ok(journal.bytes <= 2_100)
  t.equal(kept.at(-1), 'line 499')
  t.same(kept, lines.slice(-kept.length), 'what is left is the newest, without a gap')
  t.equal(journal.dropped, lines.length - kept.length)
  journal.close()
  const again = openJournal(path, 2_000)
  t.same(again.read(), kept, 'and a restart knows which segment is older')
  again.close()
})

t.test('it is private, and a closed disk is an answer and no exception', async (t) => {
  const path = join(t.testdir(), 'journal')
  const journal = openJournal(path, 1_000)
  journal.append('x')
  t.equal(statSync(`${path}.0`).mode & 0o777, 0o600)
  t.match(readFileSync(`${path}.0`, 'utf8'), /x\n$/)
  journal.close()
  t.equal(journal.append('y'), false)
})
