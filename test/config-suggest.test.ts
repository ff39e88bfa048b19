import fc from 'fast-check'
import t from 'tap'
import { editDistance, nearest } from '../config/suggest.ts'

t.test('slips of the hand and other spellings find the right name', async (t) => {
  const names = ['publicUrl', 'port', 'host', 'keepAlive', 'requestTimeout']
  const examples: [string, string | undefined][] = [
    ['prot', 'port'],
    ['Port', 'port'],
    ['public_url', 'publicUrl'],
    ['keep-alive', 'keepAlive'],
    ['requestTimeot', 'requestTimeout'],
    ['colour', undefined],
    ['', undefined],
  ]
  for (const [wrong, right] of examples) t.equal(nearest(wrong, names), right, wrong)
})

t.test('the distance of words is a distance', async (t) => {
  const word = fc.stringMatching(/^[ab]{0,6}$/)
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b)
        return (
          distance === editDistance(b, a) && (distance === 0) === (a === b) && distance <= Math.max(a.length, b.length)
        )
      }),
    ),
  )
})
