import { percentile } from '../../../usage/histogram.ts'
import { count, duration } from '../../../usage/words.ts'
import type { Minute } from '../../minutes.ts'
import { chart } from '../chart.ts'
import { html } from '../html.ts'
import type { Section } from '../section.ts'

/** The last hour, minute by minute. */
export const traffic: Section = {
  id: 'traffic',
  title: 'Minute by minute',
  render({ minutes }) {
    const hour = minutes()
    return html`<div class="charts">${calls(hour)}${latency(hour)}${tokens(hour)}${cache(hour)}</div>`
  },
}

const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0)
const timeText = (seconds: number): string => `${new Date(seconds * 1000).toISOString().slice(11, 16)} UTC`
const timesOf = (hour: readonly Minute[]): number[] => hour.map(({ startMs }) => startMs / 1000)

function calls(hour: readonly Minute[]) {
  const all = hour.map(({ calls }) => calls)
  const errors = hour.map(({ errors }) => errors)
  return chart({
    id: 'calls-chart',
    caption: 'Calls per minute',
    summary: `${count(sum(all))} calls in the last hour, ${count(sum(errors))} of them failed; at most ${count(Math.max(...all))} in a minute.`,
    times: timesOf(hour),
    timeText,
    series: [
      { label: 'Calls', values: all, colour: 1 },
      { label: 'Errors', values: errors, colour: 4 },
    ],
    unit: 'count',
    text: count,
  })
}

function latency(hour: readonly Minute[]) {
  const median = hour.map(({ latency }) => percentile(latency, 0.5))
  const slow = hour.map(({ latency }) => percentile(latency, 0.95))
  const last = median.findLast((value) => value !== null) ?? null
  return chart({
    id: 'latency-chart',
    caption: 'Response time',
    summary:
      last === null ? 'No calls in the last hour.' : `The median of the last minute with calls is ${duration(last)}.`,
    times: timesOf(hour),
    timeText,
    series: [
      { label: 'Median', values: median, colour: 1 },
      { label: 'p95', values: slow, colour: 3 },
    ],
    unit: 'ms',
    text: duration,
  })
}

function tokens(hour: readonly Minute[]) {
  const prompt = hour.map(({ promptTokens }) => promptTokens)
  const answers = hour.map(({ candidateTokens, thoughtTokens }) => candidateTokens + thoughtTokens)
  const cached = hour.map(({ cachedTokens }) => cachedTokens)
  return chart({
    id: 'tokens-chart',
    caption: 'Tokens per minute',
    summary: `${count(sum(prompt))} tokens in prompts and ${count(sum(answers))} in answers and thoughts in the last hour.`,
    times: timesOf(hour),
    timeText,
    series: [
      { label: 'Prompt', values: prompt, colour: 1 },
      { label: 'Answer and thoughts', values: answers, colour: 2 },
      { label: 'Cached by Gemini', values: cached, colour: 3 },
    ],
    unit: 'count',
    text: count,
  })
}

/** Left out while nothing was looked up: an empty chart would look like a cache that never hits. */
function cache(hour: readonly Minute[]) {
  const hits = hour.map(({ hits }) => hits)
  const misses = hour.map(({ misses }) => misses)
  if (sum(hits) + sum(misses) === 0) return null
  return chart({
    id: 'cache-chart',
    caption: 'Cache, per minute',
    summary: `${count(sum(hits))} hits and ${count(sum(misses))} misses in the last hour.`,
    times: timesOf(hour),
    timeText,
    series: [
      { label: 'Hits', values: hits, colour: 2 },
      { label: 'Misses', values: misses, colour: 3 },
    ],
    unit: 'count',
    text: count,
  })
}
