/** Where the process stands between its start and its end. */
export interface Lifecycle {
  /** true from the first sign of the end on: readiness is red and new calls are refused */
  readonly draining: boolean
  drain(): void
}

export function createLifecycle(): Lifecycle {
  let draining = false
  return {
    get draining() {
      return draining
    },
    drain() {
      draining = true
    },
  }
}
