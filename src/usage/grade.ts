// The thresholds that are shown everywhere (DESIGN.md §7), and the grade a figure gets by them.

export type Grade = 'excellent' | 'good' | 'poor' | 'none'

export interface Threshold {
  /** Higher is better, or lower is. */
  better: 'higher' | 'lower'
  good: number
  excellent: number
  /** How the target is written in reports. */
  target: string
}

export const thresholds = {
  hitRate: { better: 'higher', good: 0.6, excellent: 0.8, target: '> 60 %, excellent > 80 %' },
  errorRate: { better: 'lower', good: 0.05, excellent: 0.01, target: '< 5 %, excellent < 1 %' },
  responseMs: { better: 'lower', good: 2_000, excellent: 1_000, target: '< 2 s, excellent < 1 s' },
  costPerInteractionUsd: { better: 'lower', good: 0.01, excellent: 0.001, target: '< $0.01, excellent < $0.001' },
} as const satisfies Record<string, Threshold>

export type Graded = keyof typeof thresholds

/** The grade of a figure; `none` where there is nothing to grade. The limits themselves do not pass. */
export function grade(name: Graded, value: number | null): Grade {
  if (value === null || !Number.isFinite(value)) return 'none'
  const { better, good, excellent } = thresholds[name]
  const beats = (limit: number): boolean => (better === 'higher' ? value > limit : value < limit)
  if (beats(excellent)) return 'excellent'
  return beats(good) ? 'good' : 'poor'
}
