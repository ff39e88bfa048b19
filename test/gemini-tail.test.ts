import t from 'tap'
import { usageTail } from '../src/gemini/tail.ts'

const tail = (text: string): string | undefined => usageTail(Buffer.from(text))?.toString()

t.test('the top-level usage at the end of a cut document is found', async (t) => {
  t.equal(
    tail('xx","index": 0}],"usageMetadata": {"a": 1},"responseId": "r"}'),
    '{"usageMetadata": {"a": 1},"responseId": "r"}',
  )
  t.equal(tail('xx"\n}],\n  "usageMetadata": {\n"a": 1\n}\n}\n'), '{"usageMetadata": {\n"a": 1\n}\n}\n')
  t.equal(tail('xx],"usage":{"prompt_tokens":1}}'), '{"usage":{"prompt_tokens":1}}')
})

t.test('what only looks like it is not taken', async (t) => {
  for (const text of [
    'xx{"args":{"usageMetadata":{"a":1}}}]}',
    'xx\\"usageMetadata\\":{}}',
    'xx,"a\\"usageMetadata":{"a":1}}',
    'xx,"usageMetadata","b"]}',
    'xx,"usageMetadata":{"a":1}',
    'xx,"usageMetadata":{"a":1}}}',
    '"usageMetadata":{"a":1}}',
    'nothing',
    '',
  ]) {
    t.equal(tail(text), undefined, text)
  }
})

t.test('the real one is found behind a lookalike', async (t) => {
  const text = 'xx,"usageMetadata":{"a":1},"candidates":[{"args":{"usageMetadata":{"a":2}}}]}'
  t.equal(tail(text), text.slice(text.indexOf('"usage')).replace(/^/, '{'))
})
