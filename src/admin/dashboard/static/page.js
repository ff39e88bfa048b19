// The dashboard's script: draws the charts, takes live updates, and writes instants in the reader's own time. Without it the page is whole,
// only still.
// @ts-check
;(() => {
  const main = document.querySelector('main[data-events]')
  if (!(main instanceof HTMLElement)) return
  const connection = document.getElementById('connection')
  const pause = document.getElementById('pause')

  /** @type {Map<string, { plot: any, holder: HTMLElement, shape: string }>} */
  const charts = new Map()
  const height = 180
  const retryMs = 5000

  /** @param {string} name */
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

  const compact = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 })
  const dollars = new Intl.NumberFormat(undefined, { style: 'currency', currency: 'USD', maximumSignificantDigits: 3 })
  /** @type {Record<string, (value: number) => string>} */
  const units = {
    count: (value) => compact.format(value),
    ms: (value) => (value < 1000 ? `${Math.round(value)} ms` : `${Math.round(value / 10) / 100} s`),
    usd: (value) => dollars.format(value),
  }

  const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
  // A calendar day has no time zone: its label says which day it is.
  const calendar = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric', timeZone: 'UTC' })

  /** Values without a neighbour, which a line alone would not show. @param {any} plot @param {number} index */
  function lonely(plot, index) {
    const values = plot.data[index]
    const isThere = (/** @type {number} */ at) => values[at] !== null && values[at] !== undefined
    return [...values.keys()].filter((at) => isThere(at) && !isThere(at - 1) && !isThere(at + 1))
  }

  /**
   * @param {{ unit: string, days: boolean, series: { label: string, colour: number }[] }} data
   * @param {number} width
   */
  function options({ unit, days, series }, width) {
    const write = units[unit]
    const writeTime = (/** @type {number} */ seconds) => (days ? calendar : clock).format(seconds * 1000)
    const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } }
    return {
      width,
      height,
      axes: [
        { ...axis, values: (/** @type {any} */ _plot, /** @type {number[]} */ splits) => splits.map(writeTime) },
        { ...axis, size: 64, values: (/** @type {any} */ _plot, /** @type {number[]} */ splits) => splits.map(write) },
      ],
      scales: {
        y: {
          range: (/** @type {any} */ _plot, /** @type {number} */ _low, /** @type {number} */ high) => [
            0,
            high > 0 ? high * 1.1 : 1,
          ],
        },
      },
      series: [
        {
          label: 'Time',
          value: (/** @type {any} */ _plot, /** @type {number | null} */ time) =>
            time === null || time === undefined ? '–' : writeTime(time),
        },
        ...series.map(({ label, colour: index }) => ({
          label,
          stroke: colour(`--series-${index}`),
          width: 2,
          spanGaps: true,
          points: { show: true, size: 5, filter: lonely },
          value: (/** @type {any} */ _plot, /** @type {number | null} */ value) =>
            value === null || value === undefined ? '–' : write(value),
        })),
      ],
    }
  }

  /** Draws the chart of a figure anew, or gives it its new figures. @param {HTMLElement} figure */
  function draw(figure) {
    const holder = figure.querySelector('.plot')
    if (!(holder instanceof HTMLElement) || holder.dataset.chart === undefined) return
    const data = JSON.parse(holder.dataset.chart)
    const values = [data.times, ...data.series.map((/** @type {{ values: unknown[] }} */ { values }) => values)]
    const shape = JSON.stringify(data.series.map((/** @type {{ label: string }} */ { label }) => label))
    const known = charts.get(figure.id)
    if (known !== undefined && known.shape === shape) {
      if (known.holder !== holder) holder.append(known.plot.root)
      known.holder = holder
      known.plot.setData(values)
      return
    }
    known?.plot.destroy()
    // @ts-expect-error uPlot comes as a script of its own
    const plot = new uPlot(options(data, Math.max(160, holder.clientWidth)), values, holder)
    charts.set(figure.id, { plot, holder, shape })
  }

  /** @param {ParentNode} root */
  function bring(root) {
    for (const time of root.querySelectorAll('time[datetime]')) {
      if (time instanceof HTMLTimeElement) time.textContent = new Date(time.dateTime).toLocaleString()
    }
    for (const figure of root.querySelectorAll('figure.chart')) if (figure instanceof HTMLElement) draw(figure)
  }

  /** Puts new content in place; what is opened stays open, and what has the focus keeps it. @param {string} id @param {string} text */
  function replace(id, text) {
    const fresh = document.createRange().createContextualFragment(text).firstElementChild
    if (fresh === null || main === null) return
    const old = document.getElementById(id)
    for (const details of old?.querySelectorAll('details[open][id]') ?? [])
      fresh.querySelector(`#${details.id}`)?.setAttribute('open', '')
    const focused = old?.contains(document.activeElement) ? pathTo(old, document.activeElement) : null
    if (old === null) main.append(fresh)
    else old.replaceWith(fresh)
    bring(fresh)
    if (focused !== null) at(fresh, focused)?.focus({ preventScroll: true })
  }

  /** @param {Element} root @param {Element | null} element */
  function pathTo(root, element) {
    const path = []
    for (let now = element; now !== null && now !== root; now = now.parentElement) {
      path.unshift([...(now.parentElement?.children ?? [])].indexOf(now))
    }
    return path
  }

  /** @param {Element} root @param {number[]} path */
  function at(root, path) {
    /** @type {Element | undefined} */
    let now = root
    for (const index of path) now = now?.children[index]
    return now instanceof HTMLElement ? now : null
  }

  /** @param {{ ids: string[], sections: { id: string, html: string }[] }} update */
  function take({ ids, sections }) {
    for (const { id, html } of sections) replace(id, html)
    for (const section of main?.querySelectorAll(':scope > section') ?? [])
      if (!ids.includes(section.id)) section.remove()
    for (const id of ids) {
      const section = document.getElementById(id)
      // Only when the order is another: moving an element takes its focus and its scroll position.
      if (section !== null && main?.children[ids.indexOf(id)] !== section)
        main?.insertBefore(section, main.children[ids.indexOf(id)] ?? null)
    }
    for (const [id, { plot, holder }] of charts) {
      if (holder.isConnected) continue
      plot.destroy()
      charts.delete(id)
    }
  }

  /** @type {EventSource | null} */
  let source = null

  /** @param {string} text */
  function say(text) {
    if (connection !== null && connection.textContent !== text) connection.textContent = text
  }

  function connect() {
    const events = new EventSource(new URL(main?.getAttribute('data-events') ?? 'events', location.href))
    source = events
    events.addEventListener('open', () => say('Live'))
    events.addEventListener('sections', (event) => {
      say('Live')
      take(JSON.parse(event.data))
    })
    events.addEventListener('error', () => {
      say('Not connected; trying again')
      // A refusal ends an EventSource for good; a lost connection does not.
      if (events.readyState === EventSource.CLOSED) setTimeout(() => source === events && connect(), retryMs)
    })
  }

  pause?.addEventListener('click', () => {
    const paused = source !== null
    if (paused) {
      source?.close()
      source = null
      say('Paused')
    } else connect()
    pause.textContent = paused ? 'Resume updates' : 'Pause updates'
  })

  new ResizeObserver(() => {
    for (const { plot, holder } of charts.values()) plot.setSize({ width: Math.max(160, holder.clientWidth), height })
  }).observe(main)

  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    for (const { plot } of charts.values()) plot.destroy()
    charts.clear()
    bring(document)
  })

  bring(document)
  if (pause !== null) pause.hidden = false
  connect()
})()
