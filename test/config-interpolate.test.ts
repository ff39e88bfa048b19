import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { InterpolationError, interpolate } from '../config/interpolate.ts'

const reference = (inside: string) => `\${${inside}}`

t.test('variables are filled in, and told apart from plain text', async (t) => {
  const env = { HOST: 'example.com', EMPTY: '' }
  t.same(interpolate('plain', env), { text: 'plain', sources: [] })
  t.same(interpolate(`https://${reference('HOST')}/x`, env), { text: 'https://example.com/x', sources: ['HOST'] })
  t.equal(interpolate(reference('EMPTY'), env).text, '')
})

t.test('a default stands in for an unset or empty variable, and may hold further variables', async (t) => {
  const env = { EMPTY: '', LAST: 'z' }
  t.equal(interpolate(reference('NONE:-x'), env).text, 'x')
  t.equal(interpolate(reference('EMPTY:-x'), env).text, 'x')
  t.equal(interpolate(reference('NONE:-'), env).text, '')
  t.same(interpolate(`a${reference(`NONE:-b${reference(`ALSO:-c${reference('LAST')}`)}`)}d`, env), {
    text: 'abczd',
    sources: ['LAST'],
  })
  t.same(interpolate(reference('NONE:-x'), env).sources, [], 'a default is not a source')
})

t.test('a secret file is read without its last line end', async (t) => {
  const dir = t.testdir({ lf: 'secret\n', crlf: 'secret\r\n', two: 'a\n\n', none: 'secret' })
  t.equal(interpolate(reference(`file:${join(dir, 'lf')}`), {}).text, 'secret')
  t.equal(interpolate(reference(`file:${join(dir, 'crlf')}`), {}).text, 'secret')
  t.equal(interpolate(reference(`file:${join(dir, 'two')}`), {}).text, 'a\n')
  t.same(interpolate(reference(`file:${join(dir, 'none')}`), {}).sources, [`file:${join(dir, 'none')}`])
})

t.test('a file that cannot be read, or is no secret by its size, is an error with the reason', async (t) => {
  const dir = t.testdir({ big: 'x'.repeat(70_000) })
  t.throws(() => interpolate(reference(`file:${dir}/none`), {}), { name: 'InterpolationError', message: /ENOENT/ })
  t.throws(() => interpolate(reference(`file:${dir}`), {}), { name: 'InterpolationError', message: /EISDIR/ })
  t.throws(() => interpolate(reference(`file:${dir}/big`), {}), {
    name: 'InterpolationError',
    message: /larger than 64 KiB/,
  })
})

t.test('a missing variable, an unknown form and an open brace say what would be right', async (t) => {
  t.throws(() => interpolate(reference('NONE'), {}), { message: /NONE, which is not set/, fix: /NONE:-default/ })
  t.throws(() => interpolate(reference('a b'), {}), { name: 'InterpolationError' })
  t.throws(() => interpolate(reference(''), {}), { name: 'InterpolationError' })
  t.throws(() => interpolate(reference('__proto__'), {}), { message: /__proto__, which is not set/ })
  t.throws(() => interpolate('x${OPEN'.concat(''), {}), { message: /without its/ })
})

t.test('a doubled dollar sign is a literal one', async (t) => {
  t.same(interpolate(`$${reference('HOME')}`, { HOME: 'x' }), { text: reference('HOME'), sources: [] })
  t.equal(interpolate('$HOME $ $$', { HOME: 'x' }).text, '$HOME $ $$')
})

t.test('what was filled in is never looked at again', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(
        fc.string(),
        fc.constantFrom('', reference('B'), reference('file:/etc/hosts'), '${'),
        (text, tail) => {
          return interpolate(reference('A'), { A: `x${text}${tail}`, B: 'b' }).text === `x${text}${tail}`
        },
      ),
    ),
  )
})

t.test('any text is filled or refused, never anything else', async (t) => {
  const piece = fc.constantFrom('$', '{', '}', '${', ':-', 'A', 'NONE', 'file:', ' ')
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          return typeof interpolate(pieces.join(''), { A: '1' }).text === 'string'
        } catch (error) {
          return error instanceof InterpolationError
        }
      }),
    ),
  )
})
