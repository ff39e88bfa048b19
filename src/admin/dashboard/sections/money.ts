import { money as dollars } from '../../../usage/words.ts'
import { chart } from '../chart.ts'
import type { Section } from '../section.ts'

/** Cost and net savings by day. */
export const money: Section = {
  id: 'money',
  title: 'Cost and savings',
  async render({ days }) {
    const all = (await days?.()) ?? []
    if (all.length === 0) return null
    const total = (name: 'costUsd' | 'netSavedUsd'): string => dollars(all.reduce((sum, day) => sum + day[name], 0))
    return chart({
      id: 'money-chart',
      caption: `Per day: ${total('costUsd')} spent and ${total('netSavedUsd')} saved, net, in ${all.length} days`,
      summary: `${total('costUsd')} spent and ${total('netSavedUsd')} saved in ${all.length} days.`,
      times: all.map(({ label }) => Date.parse(label) / 1000),
      timeText: (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10),
      series: [
        { label: 'Cost', values: all.map(({ costUsd }) => costUsd), colour: 1 },
        { label: 'Net saved', values: all.map(({ netSavedUsd }) => netSavedUsd), colour: 2 },
      ],
      unit: 'usd',
      days: true,
      text: dollars,
    })
  },
}
