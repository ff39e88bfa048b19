import { readFileSync } from 'node:fs'
import t from 'tap'
import { gateway } from './helper.ts'

interface Board {
  panels: { id: number; title: string; targets: { expr: string }[] }[]
}

t.test('every figure of the Grafana dashboard is one that the gateway has', async (t) => {
  const board = JSON.parse(readFileSync(new URL('../docs/grafana.json', import.meta.url), 'utf8')) as Board
  const { url } = await gateway(t)
  const metrics = await (await fetch(`${url}/metrics`)).text()
  const declared = new Set([...metrics.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))
  const asked = board.panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => expr.match(/castor_\w+/g) ?? []))
  t.ok(asked.length > 15)
  t.strictSame(
    asked.filter((name) => !declared.has(name.replace(/_bucket$/, ''))),
    [],
  )
  t.equal(new Set(board.panels.map(({ id }) => id)).size, board.panels.length)
})
