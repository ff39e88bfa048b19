// Money spent in a calendar window. The window's start is part of the figure, so no job has to reset anything.
import type { Calendar } from '../schedule/calendar.ts'

export type WindowKind = 'day' | 'month'

export interface MoneyWindow {
  kind: WindowKind
  limitNanoUsd: number
  /** Spent and reserved in the window that holds this instant, nano-USD. */
  used(nowMs: number): { spent: number; reserved: number; startMs: number; endMs: number }
  reserve(nanoUsd: number, nowMs: number): void
  /** Gives a reservation back; one of a window that is over is forgotten with it. */
  release(nanoUsd: number, reservedAtMs: number, nowMs: number): void
  spend(nanoUsd: number, nowMs: number): void
}

export function createMoneyWindow(kind: WindowKind, limitNanoUsd: number, calendar: Calendar): MoneyWindow {
  let startMs = Number.NaN
  let endMs = Number.NaN
  let spent = 0
  let reserved = 0

  function roll(nowMs: number): void {
    if (nowMs >= startMs && nowMs < endMs) return
    startMs = windowStart(kind, calendar, nowMs)
    // 32 days after its first day every month is over, and none has two of them.
    endMs = kind === 'day' ? calendar.addDays(startMs, 1) : calendar.monthStart(calendar.addDays(startMs, 32))
    spent = 0
    reserved = 0
  }

  return {
    kind,
    limitNanoUsd,
    used(nowMs) {
      roll(nowMs)
      return { spent, reserved, startMs, endMs }
    },
    reserve(nanoUsd, nowMs) {
      roll(nowMs)
      reserved += nanoUsd
    },
    release(nanoUsd, reservedAtMs, nowMs) {
      roll(nowMs)
      if (reservedAtMs >= startMs) reserved = Math.max(0, reserved - nanoUsd)
    },
    spend(nanoUsd, nowMs) {
      roll(nowMs)
      spent += nanoUsd
    },
  }
}

/** The first instant of the day or month that holds `nowMs`. */
export function windowStart(kind: WindowKind, calendar: Calendar, nowMs: number): number {
  return kind === 'day' ? calendar.dayStart(nowMs) : calendar.monthStart(nowMs)
}
